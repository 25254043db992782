/** Calls of etcd's KV service, by method. */
export interface RpcCounts {
  readonly Range: number;
  readonly Put: number;
  readonly DeleteRange: number;
  readonly Txn: number;
}

/** Runs something and tells what etcd was asked meanwhile, by etcd's own count. */
export async function countRpcs(endpoint: string, run: () => Promise<unknown>): Promise<RpcCounts> {
  const before = await kvCalls(endpoint);
  await run();
  const after = await kvCalls(endpoint);
  return {
    Range: after.Range - before.Range,
    Put: after.Put - before.Put,
    DeleteRange: after.DeleteRange - before.DeleteRange,
    Txn: after.Txn - before.Txn,
  };
}

/** How many calls of the KV service etcd has been sent so far. */
export async function kvCalls(endpoint: string): Promise<RpcCounts> {
  const text = await (await fetch(`${endpoint}/metrics`)).text();
  const of = (method: keyof RpcCounts) => {
    const line = text
      .split('\n')
      .find(
        (each) => each.startsWith('grpc_server_started_total{') && each.includes(`grpc_method="${method}"`),
      );
    return Number(line?.split(' ').at(-1) ?? 0);
  };
  return { Range: of('Range'), Put: of('Put'), DeleteRange: of('DeleteRange'), Txn: of('Txn') };
}
