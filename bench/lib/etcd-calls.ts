/** Runs something and tells what etcd was asked meanwhile, by etcd's own count: calls by method, streams included. */
export async function countCalls(
  endpoint: string,
  run: () => Promise<unknown>,
): Promise<ReadonlyMap<string, number>> {
  const before = await calls(endpoint);
  await run();
  const after = await calls(endpoint);
  return new Map(
    [...after]
      .map(([method, count]): [string, number] => [method, count - (before.get(method) ?? 0)])
      .filter(([, count]) => count > 0),
  );
}

async function calls(endpoint: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${endpoint}/metrics`)).text();
  const counts = new Map<string, number>();
  for (const [, method = '', count] of text.matchAll(
    /^grpc_server_started_total\{grpc_method="(\w+)".*\} (\d+)$/gm,
  )) {
    counts.set(method, (counts.get(method) ?? 0) + Number(count));
  }
  return counts;
}
