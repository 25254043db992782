import { ValidationError } from '@coord/client';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LockNotHeldError } from '../src/index.js';
import { party, queueKeys, queueLength, rejection, uniqueName } from './support.js';

let etcd: EtcdServer;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());

const open = (config?: Parameters<typeof party>[1]) => party(etcd.connectOptions, config);

describe('renew', () => {
  it('extends the lock', async () => {
    const { locks } = await open();
    const lock = await locks.acquire(uniqueName(), { ttlMs: 5_000 });
    expect(await lock.renew()).toBe(true);
    expect(await lock.ttl()).toBeGreaterThan(3_500);
  });

  it('moves to a longer and a shorter TTL, keeping place and token', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const lock = await a.locks.acquire(name, { ttlMs: 5_000, purpose: 'kept' });
    const waiting = b.locks.acquire(name);
    await queueLength(a.client, name, 2);
    const before = await a.client.kv.get(lock.etcdKey);
    for (const ttlMs of [60_000, 3_000, 3_000, 60_000]) {
      expect(await lock.renew(ttlMs)).toBe(true);
      const kv = await a.client.kv.get(lock.etcdKey);
      expect(kv?.createRevision).toBe(lock.fencingToken);
      expect(kv?.text()).toBe(before?.text());
      expect(kv?.leaseId).not.toBe(before?.leaseId);
      expect(await lock.ttl()).toBeGreaterThan(ttlMs - 2_000);
      expect(await lock.ttl()).toBeLessThanOrEqual(ttlMs);
      expect((await queueKeys(a.client, name))[0]).toBe(lock.etcdKey);
    }
    await lock.release();
    await (await waiting).release();
    expect(await queueKeys(a.client, name)).toEqual([]);
  });

  it('takes several at once in turn', async () => {
    const { locks, client } = await open();
    const lock = await locks.acquire(uniqueName(), { ttlMs: 5_000 });
    const renewals = [10_000, 20_000, undefined, 15_000].map((ttlMs) => lock.renew(ttlMs));
    expect(await Promise.all(renewals)).toEqual([true, true, true, true]);
    expect(await lock.ttl()).toBeLessThanOrEqual(15_000);
    expect(await lock.ttl()).toBeGreaterThan(13_000);
    await Promise.all([lock.renew(40_000).catch(() => undefined), lock.release()]);
    expect(await client.kv.get(lock.etcdKey)).toBeUndefined();
  });

  it('refuses a bad TTL', async () => {
    const { locks } = await open();
    const lock = await locks.acquire(uniqueName());
    for (const ttlMs of [0, -5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(await rejection(lock.renew(ttlMs))).toBeInstanceOf(ValidationError);
    }
  });
});

describe('txn', () => {
  it('commits while the lock is held', async () => {
    const { locks, client } = await open();
    const lock = await locks.acquire(uniqueName());
    const key = `/data/${lock.key}`;
    const result = await lock.txn({ success: [{ put: { key, value: 'one' } }, { get: key }] });
    expect(result.succeeded).toBe(true);
    expect(result.responses.map((response) => response.type)).toEqual(['put', 'get']);
    expect((await client.kv.get(key))?.text()).toBe('one');
  });

  it("tells the caller's own failed compare from a lost lock", async () => {
    const { locks, client } = await open();
    const lock = await locks.acquire(uniqueName());
    const key = `/data/${lock.key}`;
    const compare = [{ key, target: 'version', is: '>', to: 0 }] as const;
    const read = await lock.txn({ compare, success: [{ delete: key }], failure: [{ get: key }] });
    expect(read.succeeded).toBe(false);
    expect(read.responses.map((response) => response.type)).toEqual(['get']);
    const none = await lock.txn({ compare, success: [{ delete: key }] });
    expect(none).toMatchObject({ succeeded: false, responses: [] });
    const write = await lock.txn({ compare, failure: [{ put: { key, value: 'made' } }] });
    expect(write.succeeded).toBe(false);
    expect(write.responses.map((response) => response.type)).toEqual(['put']);
    expect((await client.kv.get(key))?.text()).toBe('made');
  });

  it('refuses a stale holder, in both branches', async () => {
    const name = uniqueName();
    const [{ locks, client }, other] = await Promise.all([open(), open()]);
    const stale = await locks.acquire(name);
    const key = `/data/${name}`;
    await client.kv.delete(stale.etcdKey);
    const next = await other.locks.acquire(name);
    const compare = [{ key, target: 'version', is: '>', to: 0 }] as const;
    const value = 'stale';
    const error = await rejection(
      stale.txn({ compare, success: [{ put: { key, value } }], failure: [{ put: { key, value } }] }),
    );
    if (!(error instanceof LockNotHeldError)) throw error;
    expect(error).toMatchObject({ key: name, fencingToken: stale.fencingToken });
    expect(stale.signal.aborted).toBe(true);
    const another = await locks.acquire(uniqueName());
    await client.kv.delete(another.etcdKey);
    expect(await rejection(another.txn({ success: [{ put: { key, value } }] }))).toBeInstanceOf(
      LockNotHeldError,
    );
    expect(await client.kv.get(key)).toBeUndefined();
    expect((await next.txn({ success: [{ put: { key, value: 'fresh' } }] })).succeeded).toBe(true);
  });
});
