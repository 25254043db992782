import { connect, type Op } from '@coord/client';
import { createConfigCenter } from '@coord/config';
import type { EtcdServer } from '@coord/testkit';
import { settledMemory } from './memory.js';

/** A prefix of many keys: how long it takes to load, and what it holds. */
export async function benchPrefix(
  etcd: EtcdServer,
  count: number,
  say: (line: string) => void,
): Promise<(readonly [what: string, measured: string])[]> {
  await fill(etcd, count);
  say(`${count} keys are there`);
  await using client = await connect(etcd.connectOptions);
  await using config = createConfigCenter(client);
  const listing = performance.now();
  let cursor: string | undefined;
  let listed = 0;
  do {
    const page = await config.list('many', { limit: 10_000, cursor });
    listed += page.keys.length;
    cursor = page.cursor;
  } while (cursor !== undefined);
  if (listed !== count) throw new Error(`listed ${listed} of ${count} keys`);
  const listMs = performance.now() - listing;

  const before = await settledMemory();
  const loading = performance.now();
  const watch = config.watchPrefix('many', { initial: true });
  const changes = watch[Symbol.asyncIterator]();
  for (let n = 0; n < count; n++) await changes.next();
  const loadMs = performance.now() - loading;
  const after = await settledMemory();
  const latencies: number[] = [];
  for (let n = 0; n < 50; n++) {
    const startedAt = performance.now();
    const next = changes.next();
    await config.set(`many/${n}`, { changed: n });
    await next;
    latencies.push(performance.now() - startedAt);
  }
  latencies.sort((a, b) => a - b);
  await watch.close();
  const mib = (after.heap - before.heap) / 1024 / 1024;
  return [
    ['list of all, in pages of 10,000', `${listMs.toFixed(0)} ms`],
    ['watchPrefix with initial: all delivered, with versions', `${loadMs.toFixed(0)} ms`],
    ['  held from then on', `${mib.toFixed(0)} MiB, ${((mib * 1024) / count).toFixed(2)} KiB a key`],
    ['  a change among them: call to event, p50', `${latencies[25]?.toFixed(1)} ms`],
  ];
}

/** Writes values with their records, as `set` would, many in a transaction. */
async function fill(etcd: EtcdServer, count: number): Promise<void> {
  await using client = await connect(etcd.connectOptions);
  await using config = createConfigCenter(client);
  await config.set('many/template', { host: 'db1.example', port: 5432, pool: { min: 2, max: 20 } });
  const [value, meta] = await Promise.all(
    ['/config/many/template', '/coord/config/meta/many/template'].map((key) => client.kv.get(key)),
  );
  if (value === undefined || meta === undefined) throw new Error('the template is gone');
  await config.delete('many/template');
  const PER_TXN = 64;
  const txn = (from: number): readonly Op[] =>
    Array.from({ length: Math.min(PER_TXN, count - from) }, (_, i) => [
      { put: { key: `/config/many/${from + i}`, value: value.value } },
      { put: { key: `/coord/config/meta/many/${from + i}`, value: meta.value } },
    ]).flat();
  const writer = async (first: number): Promise<void> => {
    for (let from = first * PER_TXN; from < count; from += 8 * PER_TXN)
      await client.kv.txn({ success: txn(from) });
  };
  await Promise.all(Array.from({ length: 8 }, (_, first) => writer(first)));
}
