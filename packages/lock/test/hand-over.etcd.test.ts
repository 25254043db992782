import { AbortedError } from '@coord/client';
import { type EtcdServer, eventually, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Lock, LockNotHeldError } from '../src/index.js';
import {
  aborted,
  isSettled,
  moment,
  party,
  queueKeys,
  queueLength,
  rejection,
  uniqueName,
} from './support.js';

let etcd: EtcdServer;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());

const open = (config?: Parameters<typeof party>[1]) => party(etcd.connectOptions, config);

describe('a lock with a waiter of the same client', () => {
  it('is handed over in one write; without one, a cycle costs two', async () => {
    const name = uniqueName();
    const { locks, client } = await open();
    await (await locks.acquire(name)).release(); // the session is there
    const revision = async () => (await client.kv.range('nothing')).revision;
    const start = await revision();
    for (let i = 0; i < 5; i++) await (await locks.acquire(uniqueName())).release();
    expect((await revision()) - start).toBe(10n);

    const before = await revision();
    const tokens: bigint[] = [];
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        const lock = await locks.acquire(name);
        tokens.push(lock.fencingToken);
        await lock.release();
      }),
    );
    // The first joins, nine are taken along by the one before, the last leaves.
    expect((await revision()) - before).toBe(11n);
    expect(tokens).toEqual([...tokens].sort((a, b) => Number(a - b)));
    expect(new Set(tokens).size).toBe(10);
    expect(await queueKeys(client, name)).toEqual([]);
  });

  it('has a fresh key and token, and the old one can no longer write', async () => {
    const name = uniqueName();
    const { locks, client } = await open();
    const first = await locks.acquire(name);
    const waiting = locks.acquire(name, { purpose: 'the next' });
    expect(await isSettled(waiting)).toBe(false);
    const guard = { key: first.etcdKey, target: 'create', is: '=', to: first.fencingToken } as const;
    await first.release();
    const second = await waiting;
    expect(second.etcdKey).not.toBe(first.etcdKey);
    expect(second.fencingToken).toBeGreaterThan(first.fencingToken);
    expect(await queueKeys(client, name)).toEqual([second.etcdKey]);
    expect((await client.kv.get(second.etcdKey))?.text()).toContain('the next');
    const late = await client.kv.txn({ compare: [guard], success: [{ put: { key: 'late', value: '' } }] });
    expect(late.succeeded).toBe(false);
    await second.release();
  });

  it('goes to others that have waited longer in etcd first', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const first = await a.locks.acquire(name);
    const local = a.locks.acquire(name);
    const remote = b.locks.acquire(name);
    await queueLength(a.client, name, 2);
    await first.release();
    const second = await remote;
    expect(await isSettled(local)).toBe(false);
    expect(await queueKeys(a.client, name)).toHaveLength(2); // the local one has its place already
    await second.release();
    const third = await local;
    expect(third.fencingToken).toBeGreaterThan(first.fencingToken);
    await third.release();
  });

  it('keeps the order of its waiters, of whatever TTL', async () => {
    const name = uniqueName();
    const { locks, client } = await open();
    const order: number[] = [];
    const ttls = [5_000, 5_000, 60_000, 7_000, 5_000, 60_000];
    const first = await locks.acquire(name);
    const waiting = ttls.map(async (ttlMs, i) => {
      const lock = await locks.acquire(name, { ttlMs });
      order.push(i);
      expect(await lock.ttl()).toBeGreaterThan(ttlMs - 2_000);
      expect(await lock.ttl()).toBeLessThanOrEqual(ttlMs);
      await lock.release();
    });
    await first.release();
    await Promise.all(waiting);
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await queueKeys(client, name)).toEqual([]);
  });
});

describe('a hand-over', () => {
  it('to a waiter that aborts at any moment leaves no key, and the next one gets the lock', async () => {
    const name = uniqueName();
    const { locks, client } = await open();
    for (let step = 0; step < 60; step++) {
      const first = await locks.acquire(name);
      const abort = new AbortController();
      const second = locks.acquire(name, { signal: abort.signal }).then(
        (lock) => lock.release(),
        (error: unknown) => expect(error).toBeInstanceOf(AbortedError),
      );
      const third = locks.acquire(name);
      const released = first.release();
      await moment(step, 60);
      abort.abort();
      await Promise.all([released, second]);
      const lock = await third;
      await lock.release();
    }
    await queueLength(client, name, 0);
  });

  it('to a waiter whose lease is gone still releases, and the waiter goes on with a new lease', async () => {
    const name = uniqueName();
    const [{ locks, client }, other] = await Promise.all([open(), open()]);
    const first = await locks.acquire(name, { ttlMs: 20_000 });
    const probe = await locks.acquire(uniqueName(), { ttlMs: 60_000 });
    const leaseId = (await client.kv.get(probe.etcdKey))?.leaseId ?? 0n;
    const second = locks.acquire(name, { ttlMs: 60_000 });
    expect(await isSettled(second)).toBe(false);
    await other.client.kv.txn({}); // connected
    await etcd.etcdctl(['lease', 'revoke', leaseId.toString(16)]);
    await first.release();
    const lock = await second;
    const own = await client.kv.get(lock.etcdKey);
    expect(own?.leaseId).not.toBe(leaseId);
    expect(await queueKeys(client, name)).toEqual([lock.etcdKey]);
    await lock.release();
  });

  it('of a lock that somebody deleted: told as not held, and the waiter gets the lock', async () => {
    const name = uniqueName();
    const { locks, client } = await open();
    const first = await locks.acquire(name);
    const second = locks.acquire(name);
    await client.kv.delete(first.etcdKey);
    expect(await rejection(first.release())).toBeInstanceOf(LockNotHeldError);
    const lock = await second;
    expect(await queueKeys(client, name)).toEqual([lock.etcdKey]);
    await lock.release();
  });

  it('of a lock that was lost gives the turn on as well', async () => {
    const name = uniqueName();
    const { locks, client } = await open();
    const first = await locks.acquire(name);
    const lost = aborted(first.signal);
    const second = locks.acquire(name);
    await client.kv.delete(first.etcdKey);
    await lost;
    const lock = await second;
    expect(lock.fencingToken).toBeGreaterThan(first.fencingToken);
    await lock.release();
  });
});

describe('a hand-over whose answer is lost', () => {
  async function throughProxy() {
    const proxy = await startProxy({ target: etcd.endpoint });
    onTestFinished(() => proxy.close());
    const remote = await party({ ...etcd.connectOptions, endpoints: [proxy.endpoint] });
    const direct = await open();
    return { proxy, remote, direct };
  }

  /** Holds the lock, with one more waiter of the same client. */
  async function heldAndWanted(
    name: string,
    { locks }: { locks: { acquire(name: string, options?: object): Promise<Lock> } },
    options?: object,
  ) {
    const first = await locks.acquire(name);
    const second = locks.acquire(name, options);
    expect(await isSettled(second)).toBe(false);
    return { first, second };
  }

  it('is repeated: released once, granted once', async () => {
    const name = uniqueName();
    const { proxy, remote, direct } = await throughProxy();
    const { first, second } = await heldAndWanted(name, remote);
    proxy.blackholeOpen('toClient');
    const releasing = first.release();
    await eventually(async () => expect(await queueKeys(direct.client, name)).not.toContain(first.etcdKey));
    const [joined] = await queueKeys(direct.client, name);
    await releasing;
    const lock = await second;
    proxy.heal();
    expect(lock.etcdKey).toBe(joined);
    expect(lock.fencingToken).toBe((await direct.client.kv.get(lock.etcdKey))?.createRevision);
    await first.release();
    await lock.release();
    expect(await queueKeys(direct.client, name)).toEqual([]);
  });

  it('and whose waiter gives up meanwhile, leaves no key', async () => {
    const name = uniqueName();
    const { proxy, remote, direct } = await throughProxy();
    const abort = new AbortController();
    const { first, second } = await heldAndWanted(name, remote, { signal: abort.signal });
    proxy.blackholeOpen('toClient');
    const releasing = first.release();
    await eventually(async () => expect(await queueKeys(direct.client, name)).not.toContain(first.etcdKey));
    abort.abort();
    expect(await rejection(second)).toBeInstanceOf(AbortedError);
    const next = direct.locks.acquire(name);
    await releasing;
    const lock = await next;
    proxy.heal();
    expect(await queueKeys(direct.client, name)).toEqual([lock.etcdKey]);
    await lock.release();
  });

  it('and that never arrived, whose waiter gives up meanwhile, releases all the same', async () => {
    const name = uniqueName();
    const { proxy, remote, direct } = await throughProxy();
    const abort = new AbortController();
    const { first, second } = await heldAndWanted(name, remote, { signal: abort.signal });
    proxy.blackhole('toServer');
    const releasing = first.release();
    abort.abort();
    expect(await rejection(second)).toBeInstanceOf(AbortedError);
    const next = direct.locks.acquire(name);
    await queueLength(direct.client, name, 2);
    proxy.heal(); // what was held back arrives now
    await releasing;
    const lock = await next;
    await queueLength(direct.client, name, 1);
    expect(await queueKeys(direct.client, name)).toEqual([lock.etcdKey]);
    await lock.release();
  });
});
