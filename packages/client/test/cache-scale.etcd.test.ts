import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type EtcdServer, eventually, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CoordClient, connect, type KeyValue } from '../src/index.js';
import type { Followed, Loaded } from './cache-scale-process.js';

const KEYS = 100_000;
const VALUE_BYTES = 128;
const PREFIX = '/services/scale/';

let etcd: EtcdServer;
let client: CoordClient;

beforeAll(async () => {
  etcd = await startEtcd();
  client = await connect(etcd.connectOptions);
  const value = Buffer.alloc(VALUE_BYTES, 'v');
  const txns = KEYS / 100;
  let next = 0;
  const writer = async () => {
    while (next < txns) {
      const from = next++ * 100;
      const success = Array.from({ length: 100 }, (_, i) => ({
        put: { key: `${PREFIX}instance-${String(from + i).padStart(6, '0')}`, value },
      }));
      await client.kv.txn({ success }, { timeoutMs: 60_000 });
    }
  };
  await Promise.all(Array.from({ length: 8 }, writer));
});
afterAll(async () => {
  await client?.close();
  await etcd?.stop();
});

describe('100,000 keys', () => {
  it('load in bounded memory, and a change costs the same as with few', async () => {
    const script = fileURLToPath(new URL('cache-scale-process.ts', import.meta.url));
    const end = `${PREFIX}zzz`;
    const child = fork(script, [etcd.endpoint, PREFIX, end], {
      execArgv: ['--conditions=@coord/source', '--import', 'tsx', '--expose-gc'],
    });
    try {
      const answer = async () =>
        (await once(child, 'message', { signal: AbortSignal.timeout(60_000) }))[0] as unknown;
      const loaded = (await answer()) as Loaded;
      expect(loaded.keys).toBe(KEYS);
      expect(loaded.bytesAKey).toBeLessThan(1_024 + VALUE_BYTES);

      const answered = answer();
      const writer = async (writerId: number) => {
        for (let i = 0; i < 250; i++) {
          const key = `${PREFIX}instance-${String((i * 397 + writerId * 25_000) % KEYS).padStart(6, '0')}`;
          if (i % 10 === 9) await client.kv.delete(key);
          else await client.kv.put(key, 'changed');
        }
      };
      await Promise.all([0, 1, 2, 3].map(writer));
      await client.kv.put(end, '');
      const followed = (await answered) as Followed;
      expect(followed).toMatchObject({ updates: 1_001, unchanged: true });
      // A copy of 100,000 entries takes some 10 ms each time, which makes 10 s.
      expect(followed.totalMs).toBeLessThan(1_000);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('are listed at one revision: a compaction between the pages starts the list anew', async () => {
    await using proxy = await startProxy({ target: etcd.endpoint });
    const reasons: string[] = [];
    const ignored = () => undefined;
    const warn = (...args: unknown[]) => reasons.push(JSON.stringify(args));
    await using far = await connect({
      endpoints: [proxy.endpoint],
      logger: { error: warn, warn, info: ignored, debug: ignored },
    });
    proxy.delay(60, 'toClient'); // a hundred pages, one after the other
    await using cache = far.cache({ prefix: PREFIX }, { decode: (kv: KeyValue) => kv.modRevision });
    let listed = false;
    cache.ready.then(
      () => {
        listed = true;
      },
      () => undefined,
    );
    for (let round = 0; round < 2; round++) {
      const before = await callsStarted('Range');
      await eventually(async () => (await callsStarted('Range')) > before + 10);
      const { revision } = await client.kv.put(`${PREFIX}instance-000000`, `compacted ${round}`);
      await client.etcd3.kv.compact({ revision: revision.toString() });
    }
    expect(listed).toBe(false);
    proxy.delay(0, 'toClient');
    await cache.ready;
    expect(reasons.filter((reason) => reason.includes('compacted')).length).toBeGreaterThan(0);
    const { count, revision } = await client.kv.range({ prefix: PREFIX }, { countOnly: true });
    await eventually(() => cache.revision >= revision || cache.source === 'live');
    expect(cache.entries().size).toBe(count);
    const newest = await client.kv.get(`${PREFIX}instance-000000`);
    expect(cache.get(`${PREFIX}instance-000000`)).toBe(newest?.modRevision);
  });
});

/** How many calls of this kind etcd has begun to answer. */
async function callsStarted(method: string): Promise<number> {
  const metrics = await (await fetch(`${etcd.endpoint}/metrics`)).text();
  const line = metrics
    .split('\n')
    .find((each) => each.startsWith('grpc_server_started_total') && each.includes(`"${method}"`));
  return Number(line?.split(' ').at(-1));
}
