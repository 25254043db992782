import { AbortedError, TimeoutError } from '@coord/client';
import { eventually } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import { LockConflictError, LockExpiredError, LockNotHeldError } from '../src/index.js';
import { aborted, rejection, uniqueName } from './support.js';
import { useTwoLines } from './two-lines.js';

// What is left behind must not go with its lease before the test notices.
const t = useTwoLines({ defaultTtlMs: 60_000 });

const keysOf = async (name: string) => {
  const folder = `/coord/locks/rw/${name}/`;
  return (await t.direct.client.kv.range({ prefix: folder })).kvs.map(({ key }) => key.slice(folder.length));
};
const parts = async (name: string) => (await keysOf(name)).map((key) => key.slice(0, 1)).join('');
const untilParts = (name: string, expected: string) =>
  eventually(async () => expect(await parts(name)).toBe(expected), { timeoutMs: 15_000 });

describe('a downgrade', () => {
  it('whose answer was lost has happened, once', async () => {
    const name = uniqueName();
    const writer = await t.remote.locks.acquireWriteLock(name);
    t.proxy.blackholeOpen('toClient');
    const reader = await writer.downgrade();
    t.proxy.heal();
    expect(await parts(name)).toBe('q');
    expect(await reader.isHeld()).toBe(true);
    expect(writer.signal.aborted).toBe(false);
    await (await t.direct.locks.tryAcquireReadLock(name)).release();
    await reader.release();
    expect(await parts(name)).toBe('');
  });

  it('that is given up gives the lock up: whether readers were let in is not known', async () => {
    const name = uniqueName();
    const writer = await t.remote.locks.acquireWriteLock(name);
    const told = aborted(writer.signal);
    t.proxy.blackhole('toClient');
    const error = await rejection(writer.downgrade({ timeoutMs: 400 }));
    expect(error).toBeInstanceOf(TimeoutError);
    expect(() => writer.assertHeld()).toThrow(LockExpiredError);
    expect(await told).toMatchObject({ message: expect.stringContaining('downgrade was not confirmed') });
    await untilParts(name, 'q'); // it had been applied
    t.proxy.heal();
    await untilParts(name, '');
  });

  it('under way when the write lock is released leaves nothing behind, and the release is no failure', async () => {
    const name = uniqueName();
    const writer = await t.remote.locks.acquireWriteLock(name);
    t.proxy.blackhole('toClient');
    const downgrading = rejection(writer.downgrade({ timeoutMs: 20_000 }));
    await untilParts(name, 'q');
    const releasing = writer.release({ timeoutMs: 20_000 });
    t.proxy.heal();
    await releasing;
    expect(await downgrading).toBeInstanceOf(LockNotHeldError);
    await untilParts(name, '');
  });
});

describe('an upgrade', () => {
  it('whose answer was lost has happened, once', async () => {
    const name = uniqueName();
    const reader = await t.remote.locks.acquireReadLock(name);
    t.proxy.blackholeOpen('toClient');
    const writer = await reader.tryUpgrade();
    t.proxy.heal();
    expect(await parts(name)).toBe('qw');
    const [, writeKey = ''] = await keysOf(name);
    const kv = await t.direct.client.kv.get(`/coord/locks/rw/${name}/${writeKey}`);
    expect(kv?.createRevision).toBe(writer.fencingToken);
    await writer.txn({ success: [{ put: { key: `/data/${name}`, value: 'x' } }] });
    await writer.release();
    expect(await parts(name)).toBe('');
  });

  it('that is given up is undone: the read lock stays, and others may read', async () => {
    const name = uniqueName();
    const reader = await t.remote.locks.acquireReadLock(name);
    const before = await t.direct.client.kv.get(reader.etcdKey);
    t.proxy.blackhole('toClient');
    const abort = new AbortController();
    const upgrading = rejection(reader.tryUpgrade({ signal: abort.signal, timeoutMs: 20_000 }));
    await untilParts(name, 'qw'); // it was applied, unknown to us
    abort.abort();
    expect(await upgrading).toBeInstanceOf(AbortedError);
    reader.assertHeld();
    t.proxy.heal();
    await untilParts(name, 'q');
    expect(await eventually(() => reader.isHeld())).toBe(true);
    await (await t.direct.locks.tryAcquireReadLock(name)).release();
    // A copy of the request that arrives only now is refused: it was made for the key as it was.
    const after = await t.direct.client.kv.get(reader.etcdKey);
    expect(after?.createRevision).toBe(reader.fencingToken);
    expect(after?.modRevision).toBeGreaterThan(before?.modRevision ?? 0n);
    const again = await reader.tryUpgrade();
    expect(again.fencingToken).toBeGreaterThan(reader.fencingToken);
    await again.release();
    expect(await parts(name)).toBe('');
  });

  it('that was refused unheard is forbidden for later, too', async () => {
    const name = uniqueName();
    const reader = await t.remote.locks.acquireReadLock(name);
    const other = await t.direct.locks.acquireReadLock(name);
    const before = await t.direct.client.kv.get(reader.etcdKey);
    t.proxy.blackholeOpen('toClient');
    expect(await rejection(reader.tryUpgrade())).toBeInstanceOf(LockConflictError);
    t.proxy.heal();
    const after = await t.direct.client.kv.get(reader.etcdKey);
    expect(after?.modRevision).toBeGreaterThan(before?.modRevision ?? 0n);
    expect(await reader.isHeld()).toBe(true);
    await other.release();
    await (await reader.tryUpgrade()).release();
    expect(await parts(name)).toBe('');
  });

  it('under way when the read lock is released leaves nothing behind', async () => {
    const name = uniqueName();
    const reader = await t.remote.locks.acquireReadLock(name);
    t.proxy.blackhole('toClient');
    const upgrading = rejection(reader.tryUpgrade({ timeoutMs: 20_000 }));
    await untilParts(name, 'qw');
    const releasing = reader.release({ timeoutMs: 20_000 });
    t.proxy.heal();
    await releasing;
    expect(await upgrading).toBeInstanceOf(LockNotHeldError);
    await untilParts(name, '');
  });

  it('moves with its read lock to another TTL', async () => {
    const name = uniqueName();
    const reader = await t.remote.locks.acquireReadLock(name);
    const [moved, writer] = await Promise.all([reader.renew(25_000), reader.tryUpgrade()]);
    expect(moved).toBe(true);
    expect(await writer.ttl()).toBeGreaterThan(20_000);
    const { kvs } = await t.direct.client.kv.range({ prefix: `/coord/locks/rw/${name}/` });
    expect(new Set(kvs.map(({ leaseId }) => leaseId)).size).toBe(1);
    await writer.release();
    expect(await parts(name)).toBe('');
  });
});
