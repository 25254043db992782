import { AbortedError, ValidationError } from '@coord/client';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LockConflictError, LockExpiredError, LockNotHeldError } from '../src/index.js';
import { record } from './replay.js';
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

/** What is left behind must not go with its lease before a test notices. */
const open = (config?: Parameters<typeof party>[1]) =>
  party(etcd.connectOptions, { defaultTtlMs: 60_000, ...config });
const uniqueNames = (count: number) => Array.from({ length: count }, () => uniqueName());

describe('acquireAll', () => {
  it('holds every name, at one revision, and releases all of them', async () => {
    const names = uniqueNames(3);
    const [a, b] = await Promise.all([open(), open()]);
    const lock = await a.locks.acquireAll(names);
    expect(lock.keys).toEqual(names);
    expect(lock.etcdKey).toBe(lock.etcdKeys[0]);
    for (const [i, name] of names.entries()) {
      const [key = ''] = await queueKeys(a.client, name);
      expect(lock.etcdKeys[i]).toBe(key);
      expect((await a.client.kv.get(key))?.createRevision).toBe(lock.fencingToken);
      expect(await rejection(b.locks.tryAcquire(name))).toBeInstanceOf(LockConflictError);
    }
    expect(await lock.isHeld()).toBe(true);
    expect(await lock.renew(20_000)).toBe(true);
    await lock.txn({ success: [{ put: { key: `/data/${names[0]}`, value: 'x' } }] });
    await lock.release();
    for (const name of names) expect(await queueKeys(a.client, name)).toEqual([]);
  });

  it('takes turns with the mutexes of its names, in both directions', async () => {
    const [one = '', two = ''] = uniqueNames(2);
    const [a, b] = await Promise.all([open(), open()]);
    const single = await a.locks.acquire(two);
    const both = b.locks.acquireAll([one, two]);
    await queueLength(a.client, two, 2);
    // It already stands in the queue of the name that is free.
    expect(await rejection(a.locks.tryAcquire(one))).toBeInstanceOf(LockConflictError);
    const behind = a.locks.acquire(one);
    await queueLength(a.client, one, 2);
    expect(await isSettled(Promise.race([both, behind]))).toBe(false);
    await single.release();
    const lock = await both;
    expect(lock.fencingToken).toBeGreaterThan(single.fencingToken);
    expect(await isSettled(behind)).toBe(false);
    await lock.release();
    const next = await behind;
    expect(next.fencingToken).toBeGreaterThan(lock.fencingToken);
    await next.release();
  });

  it('never waits in a circle, and never shares a name: random sets, in random order', async () => {
    const folder = uniqueName();
    const names = Array.from({ length: 6 }, (_, i) => `${folder}-${i}`);
    const clients = await Promise.all([open(), open(), open()]);
    const data = `/data/${folder}/`;
    const recording = await record(clients[0].client, { queue: `/locks/${folder}-`, data });
    const inside = new Set<string>();
    await Promise.all(
      clients.flatMap(({ locks, client }, i) =>
        Array.from({ length: 15 }, async (_, j) => {
          const chosen = names.toSorted(() => Math.random() - 0.5).slice(0, 1 + ((i + j) % 4));
          const lock = await (j % 5 === 0 ? locks.acquire(chosen[0] ?? '') : locks.acquireAll(chosen));
          const held = j % 5 === 0 ? chosen.slice(0, 1) : chosen;
          for (const name of held) {
            expect(inside.has(name)).toBe(false);
            inside.add(name);
          }
          const etcdKeys = 'etcdKeys' in lock ? lock.etcdKeys : [lock.etcdKey];
          const value = JSON.stringify(etcdKeys);
          await lock.txn({ success: [{ put: { key: `${data}${i}-${j}`, value } }] }, { timeoutMs: 30_000 });
          await client.kv.get('anything');
          for (const name of held) inside.delete(name);
          await lock.release({ timeoutMs: 30_000 }); // all of them are in each other's way
        }),
      ),
    );
    const moments = await recording.moments();
    expect(moments).toHaveLength(45);
    for (const { event, queue } of moments) {
      const own: string[] = JSON.parse(event.kv.text());
      for (const key of own) {
        const prefix = key.slice(0, key.lastIndexOf('/') + 1);
        expect(queue.find((kv) => kv.key.startsWith(prefix))?.key).toBe(key); // the first of its queue
      }
    }
    for (const name of names) expect(await queueKeys(clients[0].client, name)).toEqual([]);
  });

  it('takes a name that is given twice once', async () => {
    const [one = '', two = ''] = uniqueNames(2);
    const { locks, client } = await open();
    const lock = await locks.acquireAll([one, two, one]);
    expect(lock.keys).toEqual([one, two]);
    expect(await queueKeys(client, one)).toHaveLength(1);
  });

  it('takes as many as 100 names', async () => {
    const names = uniqueNames(100);
    const [a, b] = await Promise.all([open(), open()]);
    const first = await a.locks.acquire(names[99] ?? '');
    const waiting = b.locks.acquireAll(names);
    await queueLength(a.client, names[99] ?? '', 2);
    expect(await isSettled(waiting)).toBe(false);
    await first.release();
    const lock = await waiting;
    expect(await lock.isHeld()).toBe(true);
    expect(await lock.renew(20_000)).toBe(true);
    await lock.txn({ success: [{ put: { key: `/data/${names[0]}`, value: 'x' } }] });
    await lock.release();
    expect((await a.client.kv.range({ prefix: '/locks/' })).count).toBe(0);
    await (await a.locks.tryAcquireAll(names)).release();
  });

  it('refuses bad names, naming each, and writes nothing', async () => {
    const { locks, client } = await open();
    const before = (await client.kv.range('x')).revision;
    const bad: unknown[] = [
      undefined,
      null,
      'ab',
      {},
      [],
      [''],
      ['ok', 7],
      ['ok', '\ud800'],
      uniqueNames(101),
    ];
    for (const keys of bad) {
      const error = await rejection(Reflect.apply(locks.acquireAll, locks, [keys]));
      expect(error).toBeInstanceOf(ValidationError);
    }
    const error = await rejection(locks.acquireAll(['ok', '', '..'], { ttlMs: 0 }));
    if (!(error instanceof ValidationError)) throw error;
    expect(error.issues.map(({ path }) => path)).toEqual(['keys[1]', 'keys[2]', 'ttlMs']);
    expect(await rejection(locks.acquireAll(uniqueNames(101)))).toMatchObject({
      message: expect.stringContaining('at most 100'),
    });
    expect((await client.kv.range('x')).revision).toBe(before);
  });

  it('leaves no key when it is aborted at any moment', async () => {
    const [holder, { locks, client }] = await Promise.all([open(), open()]);
    const [free = '', taken = ''] = uniqueNames(2);
    const held = await holder.locks.acquire(taken);
    for (let step = 0; step < 40; step++) {
      const abort = new AbortController();
      const attempt = locks.acquireAll([free, taken], { signal: abort.signal });
      await moment(step, 40);
      abort.abort();
      expect(await rejection(attempt)).toBeInstanceOf(AbortedError);
    }
    await queueLength(client, free, 0);
    await queueLength(client, taken, 1);
    await held.release();
  });

  it('is lost as a whole when one of its keys is deleted, and blocks nobody then', async () => {
    const [one = '', two = ''] = uniqueNames(2);
    const [a, b] = await Promise.all([open(), open()]);
    const lock = await a.locks.acquireAll([one, two]);
    const lost = aborted(lock.signal);
    await a.client.kv.delete(lock.etcdKeys[1] ?? '');
    expect(await lost).toBeInstanceOf(LockExpiredError);
    expect(await rejection(lock.txn({}))).toBeInstanceOf(LockNotHeldError);
    await (await b.locks.acquireAll([two, one])).release();
  });

  it('is lost as a whole when it is taken away by one of its names', async () => {
    const [one = '', two = ''] = uniqueNames(2);
    const [a, b] = await Promise.all([open(), open()]);
    const lock = await a.locks.acquireAll([one, two], { purpose: 'both' });
    const lost = aborted(lock.signal);
    const waiting = b.locks.acquire(two);
    await queueLength(a.client, two, 2);
    const { holder } = await b.locks.inspect(one);
    expect(holder).toMatchObject({ purpose: 'both', fencingToken: lock.fencingToken });
    await b.locks.forceRelease(one, lock.fencingToken);
    expect(await lost).toBeInstanceOf(LockExpiredError);
    await (await waiting).release(); // well before any lease has ended
    await queueLength(a.client, one, 0);
  });

  it('gives up its place everywhere when it loses it somewhere', async () => {
    const [one = '', two = ''] = uniqueNames(2);
    const [a, b] = await Promise.all([open(), open()]);
    const first = await a.locks.acquire(two);
    const waiting = rejection(b.locks.acquireAll([one, two]));
    await queueLength(a.client, two, 2);
    const [ownKey = ''] = await queueKeys(a.client, one);
    await a.client.kv.delete(ownKey);
    expect(await waiting).toBeInstanceOf(LockExpiredError);
    await queueLength(a.client, two, 1);
    await first.release();
  });
});

describe('tryAcquireAll', () => {
  it('takes all or none', async () => {
    const [one = '', two = ''] = uniqueNames(2);
    const [a, b] = await Promise.all([open(), open()]);
    const first = await a.locks.acquire(two, { purpose: 'in the way' });
    const error = await rejection(b.locks.tryAcquireAll([one, two]));
    if (!(error instanceof LockConflictError)) throw error;
    expect(error.holder).toMatchObject({ purpose: 'in the way' });
    expect(await queueKeys(a.client, one)).toEqual([]);
    await first.release();
    await (await b.locks.tryAcquireAll([one, two])).release();
  });
});
