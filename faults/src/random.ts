/** Numbers from 0 up to 1 that the same seed and names repeat (mulberry32, seeded by FNV-1a). */
export function randomOf(seed: number, ...names: readonly (string | number)[]): () => number {
  let state = seed | 0;
  for (const char of names.join('\0')) state = Math.imul(state ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One of them, by a number from 0 up to 1. */
export function pick<T>(items: readonly T[], at: number): T {
  const item = items[Math.floor(at * items.length)];
  if (item === undefined) throw new Error('there is nothing to pick from');
  return item;
}
