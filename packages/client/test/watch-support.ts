import type { EtcdServer } from '@coord/testkit';
import type { CoordClient, Watch, WatchBatch } from '../src/index.js';

/** Reads batches until the last revision is there; `onBatch` may make trouble meanwhile. */
export async function readUntil(
  watch: Watch,
  revision: bigint,
  onBatch: (count: number) => void = () => undefined,
): Promise<WatchBatch[]> {
  const batches: WatchBatch[] = [];
  for await (const batch of watch) {
    batches.push(batch);
    onBatch(batches.length);
    if (batch.revision >= revision) break;
  }
  return batches;
}

/** The first batch of a watch that is not read any further. */
export async function next(watch: Watch): Promise<WatchBatch> {
  const result = await watch[Symbol.asyncIterator]().next();
  return result.value;
}

/** Many revisions, quickly: each put is a call of its own. Returns the revisions in order. */
export async function putMany(client: CoordClient, prefix: string, count: number): Promise<bigint[]> {
  const revisions: bigint[] = [];
  for (let i = 0; i < count; i += 100) {
    const some = Array.from({ length: Math.min(100, count - i) }, (_, j) =>
      client.etcd3
        .put(`${prefix}${i + j}`)
        .value(`${i + j}`)
        .exec(),
    );
    revisions.push(...(await Promise.all(some)).map(({ header }) => BigInt(header.revision)));
  }
  return revisions.sort((a, b) => Number(a - b));
}

/** Many keys in few revisions. Returns the last one. */
export async function putKeys(client: CoordClient, keys: readonly string[], value: string): Promise<bigint> {
  let last = 0n;
  for (let i = 0; i < keys.length; i += 100) {
    const success = keys.slice(i, i + 100).map((key) => ({ put: { key, value } }));
    last = (await client.kv.txn({ success }, { timeoutMs: 30_000 })).revision;
  }
  return last;
}

export async function compactTo(client: CoordClient, revision: bigint): Promise<void> {
  await client.etcd3.kv.compact({ revision: revision.toString(), physical: true });
}

/** Watches that etcd counts. */
export async function watchersOn(etcd: EtcdServer): Promise<number> {
  const metrics = await (await fetch(`${etcd.endpoint}/metrics`)).text();
  return Number(/^etcd_debugging_mvcc_watcher_total (\d+)/m.exec(metrics)?.[1]);
}

/** Requests that etcd has got on its watch streams. */
export async function watchMessages(etcd: EtcdServer): Promise<number> {
  const metrics = await (await fetch(`${etcd.endpoint}/metrics`)).text();
  const line = /^grpc_server_msg_received_total\{grpc_method="Watch".* (\d+)$/m;
  return Number(line.exec(metrics)?.[1] ?? 0);
}

/** What happened, short enough to compare. */
export function brief({ events }: WatchBatch): string[] {
  return events.map((e) => `${e.type} ${e.key.slice(e.key.lastIndexOf('/') + 1)}=${e.kv.text()}`).sort();
}
