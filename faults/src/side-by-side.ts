/** Does it for each of them, so many at a time. The results have the order of the items. */
export async function sideBySide<Item, Result>(
  atATime: number,
  items: readonly Item[],
  run: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const waiting = items.entries();
  const lane = async () => {
    for (const [index, item] of waiting) results[index] = await run(item);
  };
  await Promise.all(Array.from({ length: atATime }, lane));
  return results;
}
