import { getEventListeners } from 'node:events';
import { AbortedError, TimeoutError } from '@coord/client';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LockConflictError, LockExpiredError, LockTimeoutError } from '../src/index.js';
import { isSettled, moment, party, queueKeys, queueLength, rejection, uniqueName } from './support.js';

let etcd: EtcdServer;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());

const open = (config?: Parameters<typeof party>[1]) => party(etcd.connectOptions, config);

describe('abort', () => {
  it('before the call: rejected before any I/O', async () => {
    const { locks } = await open();
    const reason = new Error('no longer wanted');
    const error = await rejection(locks.acquire(uniqueName(), { signal: AbortSignal.abort(reason) }));
    if (!(error instanceof AbortedError)) throw error;
    expect(error.cause).toBe(reason);
  });

  it('while waiting: leaves no key, and the next one gets its turn', async () => {
    const name = uniqueName();
    const [a, b, c] = await Promise.all([open(), open(), open()]);
    const first = await a.locks.acquire(name);
    const abort = new AbortController();
    const second = rejection(b.locks.acquire(name, { signal: abort.signal }));
    await queueLength(a.client, name, 2);
    const third = c.locks.acquire(name);
    await queueLength(a.client, name, 3);
    abort.abort();
    expect(await second).toBeInstanceOf(AbortedError);
    await queueLength(a.client, name, 2);
    expect(await isSettled(third)).toBe(false);
    await first.release();
    const lock = await third;
    expect(await queueKeys(a.client, name)).toEqual([lock.etcdKey]);
  });

  it('at any moment: leaves no key', async () => {
    const [holder, { locks, client }] = await Promise.all([open(), open()]);
    const free = uniqueName();
    const taken = uniqueName();
    const held = await holder.locks.acquire(taken);
    // From the first microtask to well after the lock could have been granted.
    for (let step = 0; step < 60; step++) {
      for (const name of [free, taken]) {
        const abort = new AbortController();
        const attempt = locks.acquire(name, { signal: abort.signal }).then(
          (lock) => lock.release(),
          (error: unknown) => expect(error).toBeInstanceOf(AbortedError),
        );
        await moment(step, 60);
        abort.abort();
        await attempt;
      }
    }
    await queueLength(client, free, 0);
    await queueLength(client, taken, 1);
    expect(await queueKeys(client, taken)).toEqual([held.etcdKey]);
    await held.release();
    await (await locks.tryAcquire(taken)).release();
  });
});

describe('a signal that lives on', () => {
  it('keeps no listener, however the acquisition ends', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const { signal } = new AbortController();
    const lock = await a.locks.acquire(name, { signal });
    await rejection(b.locks.acquire(name, { signal, timeoutMs: 100 }));
    await rejection(b.locks.tryAcquire(name, { signal }));
    await rejection(a.locks.acquire(name, { signal, timeoutMs: 50 }));
    await lock.renew(undefined, { signal });
    await lock.release({ signal });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('timeout', () => {
  it('names the lock, the holder and how many were ahead', async () => {
    const name = uniqueName();
    const [a, b, c] = await Promise.all([open(), open(), open()]);
    const first = await a.locks.acquire(name, { purpose: 'migration' });
    const second = b.locks.acquire(name);
    await queueLength(a.client, name, 2);
    const error = await rejection(c.locks.acquire(name, { timeoutMs: 1_000 }));
    if (!(error instanceof LockTimeoutError)) throw error;
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ name: 'LockTimeoutError', key: name, timeoutMs: 1_000, ahead: 2 });
    expect(error.holder).toMatchObject({ etcdKey: first.etcdKey, purpose: 'migration' });
    expect(error.message).toContain('migration');
    await queueLength(a.client, name, 2);
    await first.release();
    await (await second).release();
  });
});

describe('a place in the queue', () => {
  it('moves up when the predecessor is deleted', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const first = await a.locks.acquire(name);
    const second = b.locks.acquire(name);
    await queueLength(a.client, name, 2);
    await a.client.kv.delete(first.etcdKey);
    const lock = await second;
    expect(lock.fencingToken).toBeGreaterThan(first.fencingToken);
  });

  it('is not taken by one that comes later, when a waiter in between goes', async () => {
    const name = uniqueName();
    const [a, b, c] = await Promise.all([open(), open(), open()]);
    const first = await a.locks.acquire(name);
    const second = rejection(b.locks.acquire(name));
    await queueLength(a.client, name, 2);
    const third = c.locks.acquire(name);
    await queueLength(a.client, name, 3);
    const [, secondKey = ''] = await queueKeys(a.client, name);
    await a.client.kv.delete(secondKey);
    expect(await second).toBeInstanceOf(LockExpiredError);
    expect(await rejection(c.locks.tryAcquire(name))).toBeInstanceOf(LockConflictError);
    expect(await isSettled(third)).toBe(false);
    await first.release();
    await third;
  });

  it('is told when its own key is deleted', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    await a.locks.acquire(name);
    const second = rejection(b.locks.acquire(name));
    await queueLength(a.client, name, 2);
    const [, ownKey = ''] = await queueKeys(a.client, name);
    await a.client.kv.delete(ownKey);
    const error = await second;
    if (!(error instanceof LockExpiredError)) throw error;
    expect(error.key).toBe(name);
    expect(error.fencingToken).toBeUndefined();
  });

  it('is told when its lease is revoked', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const first = await a.locks.acquire(name);
    const second = rejection(b.locks.acquire(name, { ttlMs: 3_000 }));
    await queueLength(a.client, name, 2);
    const [, ownKey = ''] = await queueKeys(a.client, name);
    const leaseId = (await a.client.kv.get(ownKey))?.leaseId ?? 0n;
    await etcd.etcdctl(['lease', 'revoke', leaseId.toString(16)]);
    expect(await second).toBeInstanceOf(LockExpiredError);
    await first.release();
    // The client goes on with a session of its own making.
    const lock = await eventually(() => b.locks.tryAcquire(name, { ttlMs: 3_000 }));
    await lock.release();
  });

  it('survives a compaction', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const first = await a.locks.acquire(name);
    const second = b.locks.acquire(name);
    await queueLength(a.client, name, 2);
    for (let i = 0; i < 20; i++) await a.client.kv.put('noise', String(i));
    const { revision } = await a.client.kv.range('noise');
    await etcd.etcdctl(['compaction', revision.toString()]);
    await first.release();
    await (await second).release();
  });
});
