import { AbortedError, ClosedError, type KeyValue, TimeoutError } from '@coord/client';
import { type EtcdServer, eventually, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LockConflictError, LockExpiredError, LockNotHeldError, LockTimeoutError } from '../src/index.js';
import { keysOf, kinds } from './kinds.js';
import { aborted, isSettled, metric, type Party, party, rejection, uniqueName } from './support.js';

let etcd: EtcdServer;
/** Used by nobody else, so that its watches can be counted. */
let quiet: EtcdServer;
let proxy: Awaited<ReturnType<typeof startProxy>>;
/** Reaches etcd through the proxy. */
let remote: Party;
/** Reaches etcd directly. */
let direct: Party;

beforeAll(async () => {
  [etcd, quiet] = await Promise.all([startEtcd(), startEtcd()]);
  proxy = await startProxy({ target: etcd.endpoint });
});
afterAll(async () => {
  await proxy.close();
  await Promise.all([etcd.stop(), quiet.stop()]);
});
beforeEach(async () => {
  proxy.heal();
  if (etcd.state === 'down') await etcd.restart();
  // What is left behind must not go with its lease before the test notices.
  const config = { defaultTtlMs: 60_000 };
  direct = await party(etcd.connectOptions, config);
  remote = await party({ ...etcd.connectOptions, endpoints: [proxy.endpoint] }, config);
  // The shared session is there before the line fails.
  await (await remote.locks.acquire(uniqueName())).release();
});

/** The first attempt is given up after a second; then one more write reaches etcd over another line. */
async function untilRepeated(): Promise<void> {
  const proposals = () => metric(etcd.endpoint, 'etcd_server_proposals_applied_total');
  const before = await proposals();
  await eventually(async () => expect(await proposals()).toBeGreaterThan(before));
}

describe.each(kinds)('$what', (kind) => {
  const present = (name: string) => keysOf(direct.client, kind, name);

  /** Waits until so many keys of the lock are there, and returns them. */
  const keyCount = (name: string, count: number): Promise<KeyValue[]> =>
    eventually(
      async () => {
        const kvs = await present(name);
        expect(kvs).toHaveLength(count);
        return kvs;
      },
      { timeoutMs: 15_000 },
    );

  /** Another one holds it, and this client waits; resolves to what both have in etcd. */
  async function waitBehind(name: string, who: Party, ttlMs?: number) {
    const blocker = await kind.block(direct.locks, name);
    const before = await present(name);
    const waiting = kind.acquire(who.locks, name, ttlMs === undefined ? {} : { ttlMs });
    const all = await keyCount(name, before.length + kind.keys);
    const own = all.filter(({ key }) => !before.some((kv) => kv.key === key));
    return { blocker, waiting, before, own };
  }

  it('is held at one revision, which is the token, and leaves nothing behind', async () => {
    const name = uniqueName();
    const lock = await kind.acquire(direct.locks, name);
    const kvs = await present(name);
    expect(kvs).toHaveLength(kind.keys);
    for (const { createRevision } of kvs) expect(createRevision).toBe(lock.fencingToken);
    expect(kvs.map(({ key }) => key)).toContain(lock.etcdKey);
    expect(await lock.isHeld()).toBe(true);
    lock.assertHeld();
    await lock.release();
    await lock.release();
    expect(await present(name)).toEqual([]);
    expect(lock.signal.aborted).toBe(false);
    expect(() => lock.assertHeld()).toThrow(LockNotHeldError);
  });

  it('moves to another TTL with every key, keeping place and token', async () => {
    const name = uniqueName();
    const lock = await kind.acquire(direct.locks, name);
    const before = await present(name);
    expect(await lock.renew(25_000)).toBe(true);
    expect(await lock.ttl()).toBeGreaterThan(20_000);
    const after = await present(name);
    expect(after.map(({ createRevision }) => createRevision)).toEqual(
      before.map(({ createRevision }) => createRevision),
    );
    expect(new Set(after.map(({ leaseId }) => leaseId)).size).toBe(1);
    expect(after[0]?.leaseId).not.toBe(before[0]?.leaseId);
    expect(await lock.renew(25_000)).toBe(true);
    await lock.txn({ success: [{ put: { key: `/data/${name}`, value: 'x' } }] });
    await lock.release();
    expect(await present(name)).toEqual([]);
  });

  it('whose enqueue got no answer: one grant, and a late copy of it fails', async () => {
    const name = uniqueName();
    await (await kind.acquire(direct.locks, name)).release();
    const marks = async () => (await direct.client.kv.range({ prefix: '/coord/locks/abort/' })).count;
    const marksBefore = await marks();
    proxy.blackholeOpen('toClient');
    const acquiring = kind.acquire(remote.locks, name);
    await keyCount(name, kind.keys);
    await untilRepeated();
    const lock = await acquiring;
    proxy.heal();
    const kvs = await keyCount(name, kind.keys);
    expect(kvs[0]?.createRevision).toBe(lock.fencingToken);
    expect(await lock.isHeld()).toBe(true);
    await lock.release();
    expect(await present(name)).toEqual([]);
    expect(await marks()).toBe(marksBefore + 1);
  });

  it('whose enqueue got no answer, given up: nothing stays', async () => {
    const name = uniqueName();
    await (await kind.acquire(direct.locks, name)).release();
    proxy.blackholeOpen('toClient');
    const abort = new AbortController();
    const acquiring = rejection(kind.acquire(remote.locks, name, { signal: abort.signal }));
    await keyCount(name, kind.keys);
    abort.abort();
    expect(await acquiring).toBeInstanceOf(AbortedError);
    proxy.heal();
    await keyCount(name, 0);
  });

  it('whose release got no answer: it is released once, and the next one keeps the lock', async () => {
    const name = uniqueName();
    const lock = await kind.acquire(remote.locks, name);
    const waiting = kind.block(direct.locks, name);
    await eventually(async () => expect((await present(name)).length).toBeGreaterThan(kind.keys));
    proxy.blackholeOpen('toClient');
    const releasing = lock.release();
    const next = await waiting;
    await untilRepeated();
    await releasing;
    proxy.heal();
    await lock.release();
    expect(await next.isHeld()).toBe(true);
    await next.release();
    await keyCount(name, 0);
  });

  it('waits on over a cut connection', async () => {
    const name = uniqueName();
    const { blocker, waiting, own } = await waitBehind(name, remote);
    proxy.cut();
    expect(await isSettled(waiting)).toBe(false);
    await blocker.release();
    const lock = await waiting;
    expect((await present(name)).map(({ key }) => key)).toEqual(own.map(({ key }) => key));
    await lock.release();
  });

  it('waits on over a compaction of what it was not told', async () => {
    const name = uniqueName();
    const { blocker, waiting } = await waitBehind(name, remote);
    await proxy.refuse();
    proxy.cut();
    await blocker.release();
    const { revision } = await direct.client.kv.put('/noise', name);
    await etcd.etcdctl(['compaction', revision.toString()]);
    await proxy.accept();
    await (await waiting).release();
    await keyCount(name, 0);
  });

  it('waits on over a restart of etcd', async () => {
    const name = uniqueName();
    const { blocker, waiting } = await waitBehind(name, remote, 30_000);
    await blocker.renew(30_000);
    await etcd.kill();
    await etcd.restart();
    await eventually(() => direct.client.ping(), { timeoutMs: 20_000 });
    expect(await isSettled(waiting)).toBe(false);
    await blocker.release({ timeoutMs: 20_000 });
    const lock = await waiting;
    expect(lock.fencingToken).toBeGreaterThan(blocker.fencingToken);
    await lock.release({ timeoutMs: 20_000 });
    await keyCount(name, 0);
  });

  it('is told, waiting, that its lease is gone; the next attempt has another', async () => {
    const name = uniqueName();
    const { blocker, waiting, before, own } = await waitBehind(name, remote, 40_000);
    const lost = rejection(waiting);
    await etcd.etcdctl(['lease', 'revoke', (own[0]?.leaseId ?? 0n).toString(16)]);
    expect(await lost).toBeInstanceOf(LockExpiredError);
    await keyCount(name, before.length);
    await blocker.release();
    const lock = await kind.acquire(remote.locks, name, { ttlMs: 40_000 });
    expect(await lock.isHeld()).toBe(true);
    await lock.release();
  });

  it('is told, waiting, that one of its keys was deleted, and blocks nobody then', async () => {
    for (let i = 0; i < kind.keys; i++) {
      const name = uniqueName();
      const { blocker, waiting, before, own } = await waitBehind(name, remote);
      const lost = rejection(waiting);
      await direct.client.kv.delete(own[i]?.key ?? '');
      expect(await lost).toBeInstanceOf(LockExpiredError);
      await keyCount(name, before.length);
      await blocker.release();
    }
  });

  it('is told, holding, that its lease or one of its keys is gone', async () => {
    for (let i = 0; i <= kind.keys; i++) {
      const name = uniqueName();
      const lock = await kind.acquire(direct.locks, name, { ttlMs: 45_000 });
      const told = aborted(lock.signal);
      const kvs = await present(name);
      const doomed = kvs[i];
      if (doomed !== undefined) await direct.client.kv.delete(doomed.key);
      else await etcd.etcdctl(['lease', 'revoke', (kvs[0]?.leaseId ?? 0n).toString(16)]);
      expect(await told).toBeInstanceOf(LockExpiredError);
      expect(() => lock.assertHeld()).toThrow(LockExpiredError);
      expect(await rejection(lock.txn({}))).toBeInstanceOf(LockNotHeldError);
      expect(await rejection(lock.release())).toBeInstanceOf(LockNotHeldError);
      await lock[Symbol.asyncDispose]();
      await keyCount(name, 0);
    }
  });

  it('is told that one of its keys was deleted also long after', async () => {
    const { locks, client } = await party(quiet.connectOptions, { defaultTtlMs: 60_000 });
    const watchers = () => metric(quiet.endpoint, 'etcd_debugging_mvcc_watcher_total');
    for (let i = 0; i < kind.keys; i++) {
      const name = uniqueName();
      await eventually(async () => expect(await watchers()).toBe(0));
      const lock = await kind.acquire(locks, name);
      // The watches of its keys attach when it has been held for a while.
      await eventually(async () => expect(await watchers()).toBe(kind.keys));
      expect(lock.signal.aborted).toBe(false);
      const told = aborted(lock.signal);
      const doomed = (await keysOf(client, kind, name))[i];
      await client.kv.delete(doomed?.key ?? '');
      expect(await told).toBeInstanceOf(LockExpiredError);
    }
  });

  it('ends by its own clock when etcd is silent, before etcd gives it away', async () => {
    const name = uniqueName();
    const lock = await kind.acquire(remote.locks, name, { ttlMs: 3_000 });
    const told = aborted(lock.signal);
    proxy.blackhole();
    await told;
    const [kv, ...others] = await present(name);
    expect(others).toHaveLength(kind.keys - 1); // etcd still has it
    expect(() => lock.assertHeld()).toThrow(LockExpiredError);
    proxy.heal();
    await etcd.etcdctl(['lease', 'revoke', (kv?.leaseId ?? 0n).toString(16)]).catch(() => undefined); // or it has run out
    const next = await kind.acquire(direct.locks, name, { timeoutMs: 20_000 });
    expect(next.fencingToken).toBeGreaterThan(lock.fencingToken);
    await next.release();
  });

  it('times out, saying for whom it waited, and leaves no key', async () => {
    const name = uniqueName();
    const blocker = await kind.block(direct.locks, name);
    const before = (await present(name)).length;
    const error = await rejection(kind.acquire(remote.locks, name, { timeoutMs: 700 }));
    if (!(error instanceof LockTimeoutError)) throw error;
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error.holder).toMatchObject({ etcdKey: blocker.etcdKey, pid: process.pid });
    expect(error.ahead).toBe(1);
    await keyCount(name, before);
  });

  it('ends with close: the one who waits, and the one who holds', async () => {
    const name = uniqueName();
    const { blocker, waiting } = await waitBehind(name, remote);
    const other = uniqueName();
    const held = await kind.acquire(remote.locks, other);
    const { signal } = held;
    const ended = rejection(waiting);
    await remote.locks.close();
    expect(await ended).toBeInstanceOf(ClosedError);
    expect(signal.aborted).toBe(true);
    expect(await rejection(kind.acquire(remote.locks, uniqueName()))).toBeInstanceOf(ClosedError);
    expect(await present(other)).toEqual([]);
    await blocker.release();
    await keyCount(name, 0);
  });

  const { tryAcquire } = kind;
  if (tryAcquire === undefined) return; // a reentrant lock can only be waited for

  it('is tried without a trace when it is not free', async () => {
    const name = uniqueName();
    const blocker = await kind.block(direct.locks, name);
    const before = await present(name);
    const error = await rejection(tryAcquire(remote.locks, name));
    if (!(error instanceof LockConflictError)) throw error;
    expect(error.holder).toMatchObject({ etcdKey: blocker.etcdKey });
    expect(await present(name)).toEqual(before);
    await blocker.release();
    // Free, and the answer to the attempt is lost: held, not in conflict with itself.
    proxy.blackholeOpen('toClient');
    const lock = await tryAcquire(remote.locks, name, { timeoutMs: 10_000 });
    proxy.heal();
    expect(await lock.isHeld()).toBe(true);
    expect(await present(name)).toHaveLength(kind.keys);
    await lock.release();
    await keyCount(name, 0);
  });
});
