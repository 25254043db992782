import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type Lock, LockExpiredError, LockNotHeldError } from '../src/index.js';
import { aborted, metric, party, queueKeys, queueLength, rejection, uniqueName } from './support.js';

let etcd: EtcdServer;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());
beforeEach(async () => {
  if (etcd.state === 'paused') await etcd.resume();
  if (etcd.state === 'down') await etcd.restart();
});

const open = (config?: Parameters<typeof party>[1]) => party(etcd.connectOptions, config);

async function expectLost(lock: Lock): Promise<void> {
  expect(lock.signal.reason).toBeInstanceOf(LockExpiredError);
  expect(() => lock.assertHeld()).toThrow(LockExpiredError);
  expect(await lock.isHeld()).toBe(false);
  expect(await lock.isExpired()).toBe(true);
  expect(await lock.ttl()).toBe(0);
  expect(await lock.renew()).toBe(false);
  expect(await rejection(lock.release())).toBeInstanceOf(LockNotHeldError);
  expect(await rejection(lock.txn({}))).toBeInstanceOf(LockNotHeldError);
  await lock[Symbol.asyncDispose]();
}

describe('a held lock', () => {
  it('is told when somebody deletes its key', async () => {
    const name = uniqueName();
    const { locks, client } = await open();
    const lock = await locks.acquire(name);
    const lost = aborted(lock.signal);
    await client.kv.delete(lock.etcdKey);
    const error = await lost;
    if (!(error instanceof LockExpiredError)) throw error;
    expect(error).toMatchObject({ key: name, fencingToken: lock.fencingToken, code: 'COORD_LOCK_EXPIRED' });
    await expectLost(lock);
  });

  it('is told also when it is deleted long after', async () => {
    const own = await startEtcd(); // so that no other watch is counted
    onTestFinished(() => own.stop());
    const { locks, client } = await party(own.connectOptions);
    const lock = await locks.acquire(uniqueName());
    // The watch of its own key attaches when it has been held for a while.
    await eventually(async () =>
      expect(await metric(own.endpoint, 'etcd_debugging_mvcc_watcher_total')).toBe(1),
    );
    expect(lock.signal.aborted).toBe(false);
    await client.kv.delete(lock.etcdKey);
    await aborted(lock.signal);
    await expectLost(lock);
  });

  it('finds out by release, when it comes before any sign of the loss', async () => {
    const name = uniqueName();
    const [{ locks, client }, other] = await Promise.all([open(), open()]);
    const lock = await locks.acquire(name);
    await client.kv.delete(lock.etcdKey);
    const successor = await other.locks.acquire(name);
    expect(await rejection(lock.release())).toBeInstanceOf(LockNotHeldError);
    expect(await rejection(lock.release())).toBeInstanceOf(LockNotHeldError);
    expect(await successor.isHeld()).toBe(true);
  });

  it('finds out by isHeld and by renew', async () => {
    const { locks, client } = await open();
    const first = await locks.acquire(uniqueName());
    await client.kv.delete(first.etcdKey);
    expect(await first.isHeld()).toBe(false);
    expect(first.signal.aborted).toBe(true);
    const second = await locks.acquire(uniqueName());
    await client.kv.delete(second.etcdKey);
    expect(await second.renew()).toBe(false);
    expect(second.signal.aborted).toBe(true);
  });

  it('is told when its lease is revoked', async () => {
    const { locks, client } = await open();
    const lock = await locks.acquire(uniqueName(), { ttlMs: 3_000 });
    const { leaseId = 0n } = (await client.kv.get(lock.etcdKey)) ?? {};
    await etcd.etcdctl(['lease', 'revoke', leaseId.toString(16)]);
    await aborted(lock.signal);
    await expectLost(lock);
    const next = await locks.acquire(lock.key, { ttlMs: 3_000 });
    expect(next.fencingToken).toBeGreaterThan(lock.fencingToken);
  });

  it('ends by its own clock, before a frozen etcd could give it away', async () => {
    const { locks } = await open();
    const lock = await locks.acquire(uniqueName(), { ttlMs: 4_000 });
    const lost = aborted(lock.signal);
    await lock.renew();
    const pausedAt = performance.now();
    await etcd.pause();
    const left = await lock.ttl();
    expect(left).toBeLessThan(4_000);
    await lost;
    const elapsed = performance.now() - pausedAt;
    expect(elapsed).toBeLessThan(4_000);
    expect(elapsed).toBeGreaterThan(left - 300);
    expect(() => lock.assertHeld()).toThrow(LockExpiredError);
    await etcd.resume();
    await eventually(async () => expect(await rejection(lock.release())).toBeInstanceOf(LockNotHeldError));
  });

  it('is recognised as lost after a stall of the event loop, before any timer has run', async () => {
    const { locks } = await open();
    const lock = await locks.acquire(uniqueName(), { ttlMs: 2_000 });
    const until = performance.now() + 2_100;
    while (performance.now() < until) {
      // Nothing else runs: no keepalive, no timer.
    }
    expect(() => lock.assertHeld()).toThrow(LockExpiredError);
    expect(lock.signal.aborted).toBe(true);
  });

  it('outlives its TTL, renewed', async () => {
    const { locks } = await open();
    const lock = await locks.acquire(uniqueName(), { ttlMs: 1_000 });
    const until = performance.now() + 4_500;
    await eventually(() => performance.now() > until, { timeoutMs: 6_000, intervalMs: 250 });
    expect(lock.signal.aborted).toBe(false);
    expect(await lock.isHeld()).toBe(true);
    await lock.release();
  });

  it('survives a restart of etcd within its TTL', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const lock = await a.locks.acquire(name, { ttlMs: 20_000 });
    const waiting = b.locks.acquire(name, { ttlMs: 20_000 });
    await queueLength(a.client, name, 2);
    await etcd.kill();
    await etcd.restart();
    expect(await eventually(() => lock.isHeld(), { timeoutMs: 10_000 })).toBe(true);
    expect(lock.signal.aborted).toBe(false);
    expect(await queueKeys(a.client, name)).toHaveLength(2);
    await lock.release();
    const next = await waiting;
    expect(next.fencingToken).toBeGreaterThan(lock.fencingToken);
    await next.release();
  });
});
