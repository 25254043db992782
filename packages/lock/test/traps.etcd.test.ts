/** What has gone wrong in other lock libraries, where no other file of tests says it: one test each. */
import { createClient } from '@coord/client';
import { type EtcdServer, eventually, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import {
  createLocks,
  LockConflictError,
  LockExpiredError,
  LockNotHeldError,
  LockTimeoutError,
} from '../src/index.js';
import { isSettled, party, queueKeys, queueLength, rejection, uniqueName } from './support.js';

let etcd: EtcdServer;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());
beforeEach(async () => {
  if (etcd.state === 'paused') await etcd.resume();
});

const open = () => party(etcd.connectOptions);

/** Nothing else runs: no keepalive, no timer, no answer. */
function stall(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('a waiter', () => {
  it('whose session is dead does not wait on, though etcd says nothing (etcd #19597)', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    await a.locks.acquire(name);
    const waiting = rejection(b.locks.acquire(name, { ttlMs: 2_000 }));
    await queueLength(a.client, name, 2);
    const pausedAt = performance.now();
    await etcd.pause();
    const error = await waiting;
    expect(error).toBeInstanceOf(LockExpiredError);
    expect(performance.now() - pausedAt).toBeLessThan(4_000);
    await etcd.resume();
    await queueLength(a.client, name, 1); // its place goes with the lease
  });

  it('is not granted a lock whose lease ran out in a stall (etcd #11456, redlock #309)', async () => {
    const name = uniqueName();
    const { locks, client } = await open();
    const holder = await client.session({ ttlMs: 2_000 });
    await client.kv.put(`/locks/${name}/foreign`, '', { session: holder });
    const waiting = locks.acquire(name, { ttlMs: 2_000 }).then(
      (lock) => {
        lock.assertHeld(); // whatever it is, it must not be an expired lock
        return lock;
      },
      (error: unknown) => error,
    );
    await queueLength(client, name, 2);
    stall(4_500);
    expect(await waiting).toBeInstanceOf(LockExpiredError);
    await queueLength(client, name, 0);
  });

  it('that timed out does not take the lock later (etcd #9921)', async () => {
    const name = uniqueName();
    const proxy = await startProxy({ target: etcd.endpoint });
    onTestFinished(() => proxy.close());
    const [direct, remote] = await Promise.all([
      open(),
      party({ ...etcd.connectOptions, endpoints: [proxy.endpoint] }),
    ]);
    await (await remote.locks.acquire(uniqueName())).release(); // the session is there
    const first = await direct.locks.acquire(name);
    proxy.blackholeOpen('toClient');
    const waiting = rejection(remote.locks.acquire(name, { timeoutMs: 500 }));
    await queueLength(direct.client, name, 2); // etcd has it, and its answer is on the way
    expect(await waiting).toBeInstanceOf(LockTimeoutError);
    proxy.heal();
    await queueLength(direct.client, name, 1);
    await first.release();
    await (await direct.locks.tryAcquire(name)).release();
  });
});

describe('with etcd out of reach from the start (etcd #18082, #14631, #6681)', () => {
  it('nothing hangs: acquire, tryAcquire and close end in time', async () => {
    const proxy = await startProxy({ target: etcd.endpoint });
    onTestFinished(() => proxy.close());
    await proxy.refuse();
    const client = createClient({ endpoints: [proxy.endpoint], requestTimeoutMs: 500, dialTimeoutMs: 500 });
    const locks = createLocks(client);
    const startedAt = performance.now();
    const abort = new AbortController();
    const unlimited = rejection(locks.acquire(uniqueName(), { signal: abort.signal }));
    expect(await rejection(locks.acquire(uniqueName(), { timeoutMs: 700 }))).toBeInstanceOf(LockTimeoutError);
    const busyOrDown = await rejection(locks.tryAcquire(uniqueName()));
    expect(busyOrDown).not.toBeInstanceOf(LockConflictError); // redlock #288, #284: down is not busy
    expect(await isSettled(unlimited)).toBe(false);
    abort.abort();
    await unlimited;
    await locks.close({ timeoutMs: 300 });
    await client.close({ timeoutMs: 300 });
    expect(performance.now() - startedAt).toBeLessThan(8_000);
  });
});

describe('a handle', () => {
  it('of an older hold renews and releases nothing of a newer one (etcd #22082, Redisson #7272, Curator #1121)', async () => {
    const name = uniqueName();
    const { locks, client } = await open();
    const old = await locks.acquire(name);
    await client.kv.delete(old.etcdKey);
    expect(await old.isHeld()).toBe(false);
    const young = await locks.acquire(name);
    expect(young.etcdKey).not.toBe(old.etcdKey);
    expect(await old.renew(60_000)).toBe(false);
    expect(await rejection(old.release())).toBeInstanceOf(LockNotHeldError);
    expect(await queueKeys(client, name)).toEqual([young.etcdKey]);
    expect((await client.kv.get(young.etcdKey))?.version).toBe(1);
    await young.release();
    expect(await young.renew()).toBe(false);
    expect(await queueKeys(client, name)).toEqual([]);
  });

  it('says by name, token and remedy what is wrong with it', async () => {
    const { locks } = await open();
    const lock = await locks.acquire(uniqueName());
    await lock.release();
    const error = await rejection(lock.txn({}));
    if (!(error instanceof LockNotHeldError)) throw error;
    expect(error.message).toContain(lock.key);
    expect(error.message).toContain(lock.fencingToken.toString());
    expect(error.message).toContain('acquire it again');
  });
});

describe('a TTL', () => {
  it('below a second is as short as etcd can make it, not a default (infra-kit)', async () => {
    const { locks } = await open();
    const lock = await locks.acquire(uniqueName(), { ttlMs: 300 });
    expect(await lock.ttl()).toBeGreaterThan(0);
    expect(await lock.ttl()).toBeLessThanOrEqual(2_000); // etcd grants two seconds at least by default
    await lock.release();
  });

  it('whose session expired is replaced: later locks work (genesis, Curator #1169)', async () => {
    const { locks, client } = await open();
    const lost = await locks.acquire(uniqueName(), { ttlMs: 2_000 });
    stall(2_500);
    expect(() => lost.assertHeld()).toThrow(LockExpiredError);
    const next = await eventually(() => locks.acquire(uniqueName(), { ttlMs: 2_000 }));
    expect((await client.kv.get(next.etcdKey))?.leaseId).toBeGreaterThan(0n);
    await next.release();
  });
});
