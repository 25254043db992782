import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLocks } from '../src/index.js';
import { type Party, party, uniqueName } from './support.js';

let etcd: EtcdServer;

beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(async () => {
  await etcd.stop();
});

/** Other calls of the same client, so that what the locks send shares requests with them. */
async function busy(one: Party, until: Promise<unknown>): Promise<void> {
  let done = false;
  void until.finally(() => {
    done = true;
  });
  const callers = Array.from({ length: 64 }, async (_, caller) => {
    for (let i = 0; !done; i++) await one.client.kv.put(`/busy/${caller}`, `${i}`);
  });
  await Promise.all(callers);
}

describe('locks of one client, whose calls share requests', () => {
  it('queue in one order: tokens of a name differ and rise, whoever of the client waits for it', async () => {
    const one = await party(etcd.connectOptions);
    const name = uniqueName();
    // Each has a queue of its own in this process, so their keys meet in etcd.
    const all = Array.from({ length: 12 }, () => createLocks(one.client));
    const tokens: bigint[] = [];
    let holders = 0;
    const work = Promise.all(
      all.map(async (locks) => {
        for (let i = 0; i < 3; i++) {
          const lock = await locks.acquire(name);
          holders++;
          expect(holders).toBe(1);
          tokens.push(lock.fencingToken);
          await one.client.kv.get('/busy/1');
          holders--;
          await lock.release();
        }
      }),
    );
    await Promise.all([work, busy(one, work)]);
    expect(tokens).toHaveLength(36);
    expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => (a < b ? -1 : 1)));
    for (const locks of all) await locks.close();
  });

  it('of 12 that try a name at once, one holds it', async () => {
    const one = await party(etcd.connectOptions);
    const all = Array.from({ length: 12 }, () => createLocks(one.client));
    for (let round = 0; round < 10; round++) {
      const name = uniqueName();
      const tries = Promise.allSettled(all.map((locks) => locks.tryAcquire(name)));
      await Promise.all([tries, busy(one, tries)]);
      const held = (await tries).filter(({ status }) => status === 'fulfilled');
      expect(held).toHaveLength(1);
    }
    for (const locks of all) await locks.close();
  });

  it('hold a guard that what shares their request cannot get round', async () => {
    const one = await party(etcd.connectOptions);
    const locks = createLocks(one.client);
    const stale = await locks.acquire(uniqueName());
    await one.client.kv.delete(stale.etcdKey);
    const guarded = Array.from({ length: 20 }, (_, i) =>
      stale.txn({ success: [{ put: { key: `/guarded/${i}`, value: '' } }] }),
    );
    const results = Promise.allSettled(guarded);
    await Promise.all([results, busy(one, results)]);
    expect((await results).every(({ status }) => status === 'rejected')).toBe(true);
    expect((await one.client.kv.range({ prefix: '/guarded/' })).count).toBe(0);
    await locks.close();
  });

  it('stand one behind the other in every kind of queue: no two are as old', async () => {
    // On a busy machine so many calls, each of which waits for the one before it, take a while.
    const one = await party({ ...etcd.connectOptions, requestTimeoutMs: 30_000 });
    const { locks } = one;
    const name = uniqueName();
    const semaphore = locks.semaphore(name, { permits: 100 });
    await (await semaphore.acquire()).release(); // the number of permits is in etcd
    const count = 16;
    const atOnce = <T>(ask: (i: number) => T) => Array.from({ length: count }, (_, i) => ask(i));
    const work = Promise.all([
      Promise.all(atOnce(() => semaphore.acquire())),
      Promise.all(atOnce(() => locks.acquireReadLock(name))),
      Promise.all(
        atOnce(async (i) => {
          const lock = await locks.acquireAll([`${name}-a`, `${name}-${i % 3}`]);
          await lock.release();
          return lock;
        }),
      ),
    ]);
    await busy(one, work);
    for (const kind of await work) {
      expect(new Set(kind.map(({ fencingToken }) => fencingToken)).size).toBe(count);
    }
  });
});
