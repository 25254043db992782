import { type Cluster, startCluster } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { party, queueKeys, queueLength, uniqueName } from './support.js';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ size: 3 });
});
afterAll(() => cluster.stop());

const open = () => party(cluster.connectOptions, { defaultTtlMs: 10_000 });

describe('a change of leader', () => {
  it('leaves holders, waiters and their order as they are', async () => {
    const name = uniqueName();
    const [a, b, c] = await Promise.all([open(), open(), open()]);
    const first = await a.locks.acquire(name);
    const second = b.locks.acquire(name);
    await queueLength(a.client, name, 2);
    const third = c.locks.acquire(name);
    await queueLength(a.client, name, 3);
    await cluster.moveLeader();
    await first.renew();
    expect(first.signal.aborted).toBe(false);
    await first.release();
    const next = await second;
    expect(await queueKeys(a.client, name)).toHaveLength(2);
    await next.release();
    const last = await third;
    expect(last.fencingToken).toBeGreaterThan(next.fencingToken);
    await last.release();
  });

  it('by a crash loses no lock and grants none twice', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const first = await a.locks.acquire(name);
    const second = b.locks.acquire(name);
    await queueLength(a.client, name, 2);
    const leader = await cluster.leader();
    await leader.kill();
    await cluster.waitForLeader({ not: leader });
    expect(await first.renew(undefined, { timeoutMs: 8_000 })).toBe(true);
    expect(first.signal.aborted).toBe(false);
    await first.release({ timeoutMs: 10_000 });
    const next = await second;
    expect(await queueKeys(b.client, name)).toEqual([next.etcdKey]);
    await next.release();
    await leader.restart();
  });

  it('gives a crashed holder a new TTL, and the lock goes on all the same (etcd #9395, #13294)', async () => {
    const name = uniqueName();
    const { locks, client } = await open();
    const crashed = await client.session({ ttlMs: 3_000 });
    const key = `/locks/${name}/crashed`;
    await client.kv.put(key, '', { session: crashed });
    const createRevision = (await client.kv.get(key))?.createRevision ?? 0n;
    const waiting = locks.acquire(name, { timeoutMs: 40_000 });
    await queueLength(client, name, 2);
    const crashedAt = performance.now();
    crashed.orphan();
    await cluster.moveLeader();
    const lock = await waiting;
    expect(performance.now() - crashedAt).toBeGreaterThan(2_000);
    expect(lock.fencingToken).toBeGreaterThan(createRevision);
    await lock.release();
  });
});
