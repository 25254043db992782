import { hostname } from 'node:os';
import { NotFoundError, ValidationError } from '@coord/client';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LockExpiredError } from '../src/index.js';
import { aborted, party, queueLength, rejection, uniqueName } from './support.js';

let etcd: EtcdServer;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());

describe('inspect', () => {
  it('tells who holds the mutex and who waits, in the order of the queue', async () => {
    const [one, two, three] = await Promise.all([1, 2, 3].map(() => party(etcd.connectOptions)));
    const name = uniqueName();
    expect(await one?.locks.inspect(name)).toEqual({ waiters: [] });
    const held = await one?.locks.acquire(name, { purpose: 'report' });
    const second = two?.locks.acquire(name, { purpose: 'second' });
    if (!one || !two || !three || !held || !second) throw new Error('not set up');
    await queueLength(one.client, name, 2);
    const third = three.locks.acquire(name);
    await queueLength(one.client, name, 3);
    const { holder, waiters, ...others } = await three.locks.inspect(name);
    expect(holder).toMatchObject({
      etcdKey: held.etcdKey,
      fencingToken: held.fencingToken,
      host: hostname(),
      pid: process.pid,
      purpose: 'report',
      since: expect.any(Date),
    });
    expect(waiters.map(({ purpose }) => purpose)).toEqual(['second', undefined]);
    expect(others).toEqual({});
    const leaseId = (await one.client.kv.get(held.etcdKey))?.leaseId;
    expect(holder?.leaseId).toBe(leaseId);
    expect(JSON.parse(JSON.stringify(holder))).toMatchObject({
      fencingToken: held.fencingToken.toString(),
      leaseId: leaseId?.toString(),
      host: hostname(),
    });
    await held.release();
    await (await second).release();
    await (await third).release();
  });

  it('shows one who says nothing of himself, as etcdctl and Go do, by key and token', async () => {
    const { locks, client } = await party(etcd.connectOptions);
    const name = uniqueName();
    const { revision } = await client.kv.put(`/locks/${name}/694d1`, '');
    const { holder } = await locks.inspect(name);
    expect(holder).toMatchObject({ etcdKey: `/locks/${name}/694d1`, fencingToken: revision });
    expect(holder).not.toHaveProperty('pid');
  });

  it('tells readers and writers apart', async () => {
    const [{ locks, client }, other] = [await party(etcd.connectOptions), await party(etcd.connectOptions)];
    const name = uniqueName();
    const readers = [await locks.acquireReadLock(name), await locks.acquireReadLock(name)];
    const writing = other.locks.acquireWriteLock(name, { purpose: 'write' });
    await expectWaiting(1);
    const reading = locks.acquireReadLock(name, { purpose: 'late' });
    await expectWaiting(2);
    const { readWrite, holder } = await locks.inspect(name);
    expect(holder).toBeUndefined();
    expect(JSON.parse(JSON.stringify(readWrite))).toMatchObject({
      holders: [{ mode: 'read' }, { mode: 'read' }],
      waiters: [{ mode: 'write', leaseId: expect.stringMatching(/^\d+$/) }, { mode: 'read' }],
    });
    expect(readWrite?.holders.map(({ mode, fencingToken }) => [mode, fencingToken])).toEqual(
      readers.map(({ fencingToken }) => ['read', fencingToken]),
    );
    expect(readWrite?.waiters).toMatchObject([
      { mode: 'write', purpose: 'write' },
      { mode: 'read', purpose: 'late' },
    ]);
    for (const reader of readers) await reader.release();
    const writer = await writing;
    expect((await locks.inspect(name)).readWrite?.holders).toMatchObject([
      { mode: 'write', fencingToken: writer.fencingToken },
    ]);
    await writer.release();
    const late = await reading;
    const upgraded = await late.tryUpgrade();
    expect((await locks.inspect(name)).readWrite).toMatchObject({
      holders: [{ mode: 'write', fencingToken: upgraded.fencingToken }],
      waiters: [],
    });
    await upgraded.release();
    expect(await locks.inspect(name)).toEqual({ waiters: [] });

    async function expectWaiting(count: number): Promise<void> {
      await expect
        .poll(async () => (await locks.inspect(name)).readWrite?.waiters.length, { timeout: 10_000 })
        .toBe(count);
    }
    expect(client.health.state).toBe('ready');
  });

  it('tells who holds permits and who waits for how many', async () => {
    const { locks } = await party(etcd.connectOptions);
    const name = uniqueName();
    const semaphore = locks.semaphore(name, { permits: 3 });
    const held = await semaphore.acquire(2);
    const waiting = semaphore.acquire(2);
    await expect
      .poll(async () => (await locks.inspect(name)).semaphore?.waiters.length, { timeout: 10_000 })
      .toBe(1);
    expect((await locks.inspect(name)).semaphore).toMatchObject({
      permits: 3,
      holders: [{ weight: 2, fencingToken: held.fencingToken, pid: process.pid }],
      waiters: [{ weight: 2 }],
    });
    await held.release();
    await (await waiting).release();
    expect((await locks.inspect(name)).semaphore).toMatchObject({ permits: 3, holders: [], waiters: [] });
  });
});

describe('list', () => {
  it('names every lock that is held, of each kind, below a prefix', async () => {
    const { locks } = await party(etcd.connectOptions);
    const prefix = uniqueName();
    await using _a = await locks.acquire(`${prefix}/a`);
    await using _b = await locks.acquire(`${prefix}%2Fb`);
    await using _read = await locks.acquireReadLock(`${prefix}/a`);
    const semaphore = locks.semaphore(`${prefix}/s`, { permits: 1 });
    const permit = await semaphore.acquire();
    const names = async (of?: string) => (await locks.list(of)).map(({ kind, name }) => `${kind} ${name}`);
    const expected = [
      `mutex ${prefix}%2Fb`,
      `mutex ${prefix}/a`,
      `read-write ${prefix}/a`,
      `semaphore ${prefix}/s`,
    ];
    expect((await names(prefix)).sort()).toEqual(expected);
    expect(await names(`${prefix}/`)).toEqual(expected.slice(1));
    expect(await names()).toEqual(expect.arrayContaining(expected));
    expect(await locks.list(`${prefix}/s`)).toMatchObject([
      { holders: [{ fencingToken: permit.fencingToken, weight: 1 }], waiters: [] },
    ]);
    await permit.release();
    expect(await names(`${prefix}/s`)).toEqual([]);
  });
});

describe('forceRelease', () => {
  it('takes the lock from its holder, who is told, and gives it to the next one', async () => {
    const [one, two] = [await party(etcd.connectOptions), await party(etcd.connectOptions)];
    const name = uniqueName();
    const held = await one.locks.acquire(name);
    const lost = aborted(held.signal);
    const next = two.locks.acquire(name);
    await queueLength(one.client, name, 2);
    await two.locks.forceRelease(name, held.fencingToken);
    expect(await lost).toBeInstanceOf(LockExpiredError);
    expect((await next).fencingToken).toBeGreaterThan(held.fencingToken);
    expect(await rejection(two.locks.forceRelease(name, held.fencingToken))).toBeInstanceOf(NotFoundError);
    (await next).assertHeld();
  });

  it('ends the wait of one who waits, and the hold of readers, writers and permits', async () => {
    const [one, two] = [await party(etcd.connectOptions), await party(etcd.connectOptions)];
    const name = uniqueName();
    await using _held = await one.locks.acquire(name);
    const waiting = rejection(two.locks.acquire(name));
    await queueLength(one.client, name, 2);
    const [waiter] = (await one.locks.inspect(name)).waiters;
    await one.locks.forceRelease(name, waiter?.fencingToken ?? 0n);
    expect(await waiting).toBeInstanceOf(LockExpiredError);

    const writer = await two.locks.acquireWriteLock(name);
    const permit = await two.locks.semaphore(name, { permits: 1 }).acquire();
    for (const each of [writer, permit]) {
      const lost = aborted(each.signal);
      await one.locks.forceRelease(name, each.fencingToken);
      expect(await lost).toBeInstanceOf(LockExpiredError);
    }
    expect(await one.locks.inspect(name)).toMatchObject({ waiters: [], semaphore: { holders: [] } });
    expect(await one.locks.inspect(name)).not.toHaveProperty('readWrite');
  });

  it('wants to know which lock when a token is one of several', async () => {
    const { locks, client } = await party(etcd.connectOptions);
    const name = uniqueName();
    const puts = [`/locks/${name}/1`, `/coord/locks/rw/${name}/q/1`];
    const { revision } = await client.kv.txn({ success: puts.map((key) => ({ put: { key, value: '' } })) });
    const error = await rejection(locks.forceRelease(name, revision));
    expect(error).toMatchObject({ name: 'ValidationError', issues: [{ path: 'kind' }] });
    await locks.forceRelease(name, revision, { kind: 'read-write' });
    expect(await locks.inspect(name)).toMatchObject({ holder: { fencingToken: revision }, waiters: [] });
  });

  it('refuses bad arguments', async () => {
    const { locks } = await party(etcd.connectOptions);
    const calls: [string, unknown[]][] = [
      ['inspect', ['']],
      ['inspect', [null]],
      ['inspect', ['\ud800']],
      ['list', [1]],
      ['list', ['\ud800']],
      ['forceRelease', ['a', 1]],
      ['forceRelease', ['a', 0n]],
      ['forceRelease', ['a', 1n, { kind: 'x' }]],
      ['forceRelease', ['a', 1n, { timeoutMs: -1 }]],
    ];
    for (const [method, args] of calls) {
      const refused = await rejection(Reflect.apply(Reflect.get(locks, method), locks, args));
      expect(refused, `${method} ${args.map(String)}`).toBeInstanceOf(ValidationError);
    }
  });
});

describe('raw names', () => {
  it('are the keys that Go and etcdctl use, slashes and all', async () => {
    const { locks, client } = await party(etcd.connectOptions, { rawNames: true });
    const name = `${uniqueName()}/a`;
    const lock = await locks.acquire(name);
    expect(lock.etcdKey.startsWith(`/locks/${name}/`)).toBe(true);
    expect(await locks.list(name)).toMatchObject([{ name, kind: 'mutex' }]);
    expect((await locks.inspect(name)).holder).toMatchObject({ fencingToken: lock.fencingToken });
    await lock.release();
    await using both = await locks.acquireAll([name, `${name}/b`]);
    expect(both.etcdKeys[1]?.startsWith(`/locks/${name}/b/`)).toBe(true);
    for (const bad of ['a//b', '/a', 'a/', 'a/../b', '.']) {
      expect(await rejection(locks.acquire(bad)), bad).toBeInstanceOf(ValidationError);
      expect(await rejection(locks.acquireAll([bad])), bad).toBeInstanceOf(ValidationError);
    }
    expect(client.health.state).toBe('ready');
  });
});
