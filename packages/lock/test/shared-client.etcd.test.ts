import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createLocks, LockConflictError } from '../src/index.js';
import { isSettled, party, queueKeys, rejection, uniqueName } from './support.js';

let etcd: EtcdServer;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());

describe('several createLocks on one client (etcd PR 11364: two mutexes of one session both held)', () => {
  async function several(count: number) {
    const { client } = await party(etcd.connectOptions);
    const all = Array.from({ length: count }, () => createLocks(client));
    onTestFinished(async () => {
      await Promise.all(all.map((locks) => locks.close()));
    });
    return { client, all };
  }

  it('exclude each other, each with a place of its own, though their requests travel together', async () => {
    const { client, all } = await several(16);
    for (let round = 0; round < 10; round++) {
      const name = uniqueName();
      let inside = 0;
      const tokens: bigint[] = [];
      // Other calls under way make those that follow wait, and share a request.
      const busy = Array.from({ length: 32 }, (_, i) => client.kv.put(`busy-${i}`, 'x'));
      const places = all.map(async (locks) => {
        const lock = await locks.acquire(name);
        inside += 1;
        expect(inside).toBe(1);
        tokens.push(lock.fencingToken);
        if (tokens.length < 4) {
          const revisions = (await client.kv.range({ prefix: `/locks/${name}/` })).kvs.map(
            (kv) => kv.createRevision,
          );
          expect(new Set(revisions).size).toBe(revisions.length);
        }
        inside -= 1;
        await lock.release();
      });
      await Promise.all([...busy, ...places]);
      expect(new Set(tokens).size).toBe(all.length);
      expect(tokens).toEqual([...tokens].sort((a, b) => Number(a - b)));
      expect(await queueKeys(client, name)).toEqual([]);
    }
  });

  it('are in conflict by tryAcquire, and let exactly one in', async () => {
    const { client, all } = await several(8);
    for (let round = 0; round < 10; round++) {
      const name = uniqueName();
      const busy = Array.from({ length: 32 }, (_, i) => client.kv.put(`busy-${i}`, 'x'));
      const results = await Promise.allSettled(all.map((locks) => locks.tryAcquire(name)));
      await Promise.all(busy);
      const won = results.filter((result) => result.status === 'fulfilled');
      expect(won).toHaveLength(1);
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(LockConflictError);
      }
      await won[0]?.value.release();
    }
  });

  it('wait for each other', async () => {
    const name = uniqueName();
    const { all } = await several(2);
    const [first, second] = all;
    const lock = await first?.acquire(name);
    const waiting = second?.acquire(name) ?? Promise.reject(new Error('no second'));
    expect(await isSettled(waiting)).toBe(false);
    expect(await rejection(second?.tryAcquire(name) ?? Promise.resolve())).toBeInstanceOf(LockConflictError);
    await lock?.release();
    await (await waiting).release();
  });
});
