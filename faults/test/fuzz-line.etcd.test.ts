import { createClient } from '@coord/client';
import { createLocks } from '@coord/lock';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { call } from '../src/fuzz/call.js';
import { corruptingLine } from '../src/fuzz/corrupting-line.js';
import { complaint } from '../src/fuzz/judge.js';
import { randomOf } from '../src/random.js';
import { leaksIn, leftBehind } from '../src/run/leaks.js';

/** `COORD_SEED` repeats the decisions; `COORD_RUNS` says how many rounds of calls there are. */
const seed = Number(process.env.COORD_SEED ?? Date.now() % 2 ** 31);
const rounds = Number(process.env.COORD_RUNS ?? 4);

const complaints: unknown[] = [];
const note = (reason: unknown) => complaints.push(reason);
let etcd: EtcdServer;
beforeAll(async () => {
  process.on('unhandledRejection', note).on('uncaughtException', note);
  etcd = await startEtcd();
});
afterAll(async () => {
  await etcd?.stop();
  process.off('unhandledRejection', note).off('uncaughtException', note);
});

/** What has been changed within an answer may be another good answer: no protocol of etcd has a check for that. */
const isTold: ReadonlySet<string> = new Set(['truncate', 'reset']);

it.each(['flip', 'garbage', 'truncate', 'reset'] as const)(
  `answers on a line that spoils them (%s) are errors that are documented, and all goes on when it heals (COORD_SEED=${seed})`,
  async (how) => {
    await using line = await corruptingLine(etcd.target, randomOf(seed));
    const client = createClient({
      endpoints: [line.endpoint],
      requestTimeoutMs: 500,
      retry: { initialDelayMs: 20 },
    });
    const locks = createLocks(client, { defaultTtlMs: 5_000 });
    const watch = client.watch({ prefix: `${how}/` });
    await watch.ready;
    const cache = client.cache({ prefix: `${how}/` }, { decode: (kv) => kv.text() });
    await cache.ready;
    line.corruption = how;
    const found: unknown[] = [];
    for (let round = 0; round < rounds; round++) {
      const calls: (() => Promise<unknown>)[] = [
        () => client.kv.put(`${how}/a`, `${round}`),
        () => client.kv.get(`${how}/a`),
        () => client.kv.range({ prefix: `${how}/` }),
        () => client.kv.txn({ success: [{ get: `${how}/a` }, { put: { key: `${how}/b`, value: 'x' } }] }),
        () => client.kv.delete(`${how}/b`),
        () => client.ping(),
        () => cache.synced({ timeoutMs: 200 }),
        () => client.session({ ttlMs: 5_000 }).then((session) => session.close()),
        () => locks.tryAcquire(how).then((lock) => lock.release()),
      ];
      const endings = await Promise.all(calls.map((each) => call({ each }, 'each', [])));
      found.push(...endings.map(complaint).filter((what) => what !== undefined));
    }
    expect(found).toEqual([]);
    expect(line.corrupted).toBeGreaterThan(0);

    line.corruption = 'none';
    await eventually(() => client.kv.put(`${how}/last`, 'last'), { timeoutMs: 30_000 });
    if (isTold.has(how)) {
      for await (const { events } of watch) if (events.some(({ key }) => key === `${how}/last`)) break;
      await eventually(() => expect(cache.get(`${how}/last`)).toBe('last'), { timeoutMs: 30_000 });
      const lock = await locks.acquire(how, { timeoutMs: 30_000 });
      await lock.release();
    }
    await client.close();
    expect(leaksIn(await leftBehind(etcd.endpoints, 30_000))).toEqual([]);
    expect(complaints).toEqual([]);
  },
  120_000,
);
