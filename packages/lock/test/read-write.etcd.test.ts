import { AbortedError } from '@coord/client';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  LockConflictError,
  LockExpiredError,
  LockNotHeldError,
  LockTimeoutError,
  type ReadLock,
  type WriteLock,
} from '../src/index.js';
import { record } from './replay.js';
import { aborted, isSettled, moment, type Party, party, rejection, uniqueName } from './support.js';

let etcd: EtcdServer;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());

/** Calls of many contenders on one name take turns: on a busy machine a release may wait for seconds. */
const PATIENT = { requestTimeoutMs: 20_000 };
const open = (config?: Parameters<typeof party>[1]) => party({ ...etcd.connectOptions, ...PATIENT }, config);
const folder = (name: string) => `/coord/locks/rw/${name}/`;

async function keysOf({ client }: Party, name: string): Promise<string[]> {
  return (await client.kv.range({ prefix: folder(name) })).kvs.map(({ key }) =>
    key.slice(folder(name).length),
  );
}

/** Waits until so many have asked for the lock, holders included. */
async function requests({ client }: Party, name: string, count: number): Promise<void> {
  await eventually(
    async () => expect((await client.kv.range({ prefix: `${folder(name)}q/` })).count).toBe(count),
    { timeoutMs: 10_000 },
  );
}

async function noKeys(who: Party, name: string): Promise<void> {
  await eventually(async () => expect(await keysOf(who, name)).toEqual([]), { timeoutMs: 10_000 });
}

describe('read and write locks', () => {
  it('are shared by readers and by nobody else', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const readers = await Promise.all([a, a, b].map(({ locks }) => locks.acquireReadLock(name)));
    expect(await rejection(b.locks.tryAcquireWriteLock(name))).toBeInstanceOf(LockConflictError);
    const another = await b.locks.tryAcquireReadLock(name);
    const writing = b.locks.acquireWriteLock(name);
    await requests(a, name, 5);
    for (const reader of [another, ...readers]) {
      expect(await isSettled(writing)).toBe(false);
      await reader.release();
    }
    const writer = await writing;
    expect(await keysOf(a, name)).toEqual([expect.stringMatching(/^q\//), expect.stringMatching(/^w\//)]);
    for (const method of ['tryAcquireReadLock', 'tryAcquireWriteLock'] as const) {
      const error = await rejection(a.locks[method](name));
      if (!(error instanceof LockConflictError)) throw error;
      expect(error.holder).toMatchObject({ etcdKey: writer.etcdKey, pid: process.pid });
    }
    await writer.release();
    expect(await keysOf(a, name)).toEqual([]);
  });

  it('are neither the mutex of the same name', async () => {
    const name = uniqueName();
    const { locks } = await open();
    const held = [await locks.acquire(name), await locks.tryAcquireWriteLock(name)];
    await Promise.all(held.map((lock) => lock.release()));
  });

  it('stay apart where the key prefixes of their users do', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open({ keyPrefix: '/team-b/locks' })]);
    await a.locks.acquireWriteLock(name);
    const other = await b.locks.tryAcquireWriteLock(name);
    expect(other.etcdKey.startsWith(`/coord/team-b/locks/rw/${name}/q/`)).toBe(true);
  });

  it('are granted in the order of asking: a stream of readers does not starve a writer, nor the reverse', async () => {
    const name = uniqueName();
    const clients = await Promise.all([open(), open(), open()]);
    const [a, b, c] = clients;
    const first = await a.locks.acquireReadLock(name);
    const order: string[] = [];
    const note = (who: string) => async (lock: ReadLock | WriteLock) => {
      order.push(who);
      await a.client.kv.get('anything');
      await lock.release();
    };
    const waiting: Promise<void>[] = [];
    const ask = async (who: string, { locks }: Party) => {
      const asked = who.startsWith('w') ? locks.acquireWriteLock(name) : locks.acquireReadLock(name);
      waiting.push(asked.then(note(who)));
      await requests(a, name, waiting.length + 1);
    };
    // The first reader is in; each later one of either kind finds a writer before it.
    for (const [who, where] of [
      ['w1', b],
      ['r1', a],
      ['r2', c],
      ['w2', c],
      ['r3', b],
      ['w3', a],
    ] as const) {
      await ask(who, where);
    }
    expect(await isSettled(Promise.race(waiting))).toBe(false);
    await first.release();
    await Promise.all(waiting);
    expect(order.map((who) => (who.startsWith('r') && who !== 'r3' ? 'r' : who))).toEqual([
      'w1',
      'r',
      'r',
      'w2',
      'r3',
      'w3',
    ]);
    expect(await keysOf(a, name)).toEqual([]);
  });

  it('exclude each other under load, by the revisions at which guarded writes were made', async () => {
    const name = uniqueName();
    const clients = await Promise.all([open(), open(), open()]);
    const data = `/data/${name}/`;
    const recording = await record(clients[0].client, { queue: folder(name), data });
    let [readers, writers] = [0, 0];
    const tokens: bigint[] = [];
    await Promise.all(
      clients.flatMap(({ locks, client }, i) =>
        Array.from({ length: 12 }, async (_, j) => {
          const mode = (i + j) % 3 === 0 ? 'write' : 'read';
          const lock = await (mode === 'write' ? locks.acquireWriteLock(name) : locks.acquireReadLock(name));
          mode === 'write' ? writers++ : readers++;
          expect(writers === 0 || (writers === 1 && readers === 0)).toBe(true);
          if (mode === 'write') tokens.push(lock.fencingToken);
          await lock.txn({ success: [{ put: { key: `${data}${i}-${j}`, value: lock.etcdKey } }] });
          await client.kv.get('anything');
          mode === 'write' ? writers-- : readers--;
          await lock.release();
        }),
      ),
    );
    expect(tokens).toEqual(tokens.toSorted((a, b) => Number(a - b)));
    const moments = await recording.moments();
    expect(moments).toHaveLength(36);
    for (const { event, queue } of moments) {
      const own = queue.find(({ key }) => key === event.kv.text());
      if (own === undefined) throw new Error(`${event.kv.text()} wrote without its key`);
      const isWriter = queue.some(({ key }) => key === own.key.replace('/q/', '/w/'));
      const inTheWay = queue.filter(({ key }) => key.includes(isWriter ? '/q/' : '/w/'));
      expect(inTheWay.filter((kv) => kv.createRevision < own.createRevision)).toEqual([]);
    }
    expect(await keysOf(clients[0], name)).toEqual([]);
  });

  it('leave no key when they are aborted at any moment', async () => {
    const [holder, { locks, client }] = await Promise.all([open(), open()]);
    const [free, taken] = [uniqueName(), uniqueName()];
    const held = await holder.locks.acquireWriteLock(taken);
    for (let step = 0; step < 40; step++) {
      for (const name of [free, taken]) {
        const abort = new AbortController();
        const attempts = [
          locks.acquireReadLock(name, { signal: abort.signal }),
          locks.acquireWriteLock(name, { signal: abort.signal }),
        ].map((attempt) =>
          attempt.then(
            (lock) => lock.release(),
            (error: unknown) => expect(error).toBeInstanceOf(AbortedError),
          ),
        );
        await moment(step, 40);
        abort.abort();
        await Promise.all(attempts);
      }
    }
    await noKeys(holder, free);
    await requests(holder, taken, 1);
    expect((await client.kv.get(held.etcdKey))?.createRevision).toBe(held.fencingToken);
  });

  it('time out, naming the holder', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    await a.locks.acquireReadLock(name, { purpose: 'reading' });
    const error = await rejection(b.locks.acquireWriteLock(name, { timeoutMs: 500 }));
    if (!(error instanceof LockTimeoutError)) throw error;
    expect(error.holder).toMatchObject({ purpose: 'reading' });
    await requests(a, name, 1);
  });

  it.each(['q', 'w'])('are lost when somebody deletes the key in %s', async (part) => {
    const name = uniqueName();
    const who = await open({ defaultTtlMs: 60_000 });
    const lock = await who.locks.acquireWriteLock(name);
    const lost = aborted(lock.signal);
    await who.client.kv.delete(lock.etcdKey.replace('/q/', `/${part}/`));
    expect(await lost).toBeInstanceOf(LockExpiredError);
    expect(await rejection(lock.txn({}))).toBeInstanceOf(LockNotHeldError);
    await noKeys(who, name); // the other half blocks nobody
  });

  it('refuse a guarded write when only the half in w is gone', async () => {
    const name = uniqueName();
    const { locks, client } = await open();
    const lock = await locks.acquireWriteLock(name);
    await client.kv.delete(lock.etcdKey.replace('/q/', '/w/'));
    const write = lock.txn({ success: [{ put: { key: `/data/${name}`, value: 'x' } }] });
    expect(await rejection(write)).toBeInstanceOf(LockNotHeldError);
    expect(await client.kv.get(`/data/${name}`)).toBeUndefined();
  });

  it('tell a waiter whose lease was revoked', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const first = await a.locks.acquireWriteLock(name);
    const waiting = rejection(b.locks.acquireReadLock(name, { ttlMs: 3_000 }));
    await requests(a, name, 2);
    const { kvs } = await a.client.kv.range({ prefix: `${folder(name)}q/` });
    const leaseId = kvs.find(({ key }) => key !== first.etcdKey)?.leaseId ?? 0n;
    await etcd.etcdctl(['lease', 'revoke', leaseId.toString(16)]);
    expect(await waiting).toBeInstanceOf(LockExpiredError);
  });
});

describe('downgrade', () => {
  it('lets the readers in that wait, and no writer', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const writer = await a.locks.acquireWriteLock(name);
    const reading = b.locks.acquireReadLock(name);
    await requests(a, name, 2);
    const writing = a.locks.acquireWriteLock(name);
    await requests(a, name, 3);
    const late = b.locks.acquireReadLock(name);
    await requests(a, name, 4);
    const reader = await writer.downgrade();
    expect(reader.fencingToken).toBe(writer.fencingToken);
    const beside = await reading;
    expect(await isSettled(Promise.race([writing, late]))).toBe(false);
    expect(await reader.isHeld()).toBe(true);
    await reader.txn({ success: [{ put: { key: `/data/${name}`, value: 'read on' } }] });
    await Promise.all([reader.release(), beside.release()]);
    const next = await writing;
    expect(next.fencingToken).toBeGreaterThan(reader.fencingToken);
    await next.release();
    await (await late).release();
    await noKeys(a, name);
  });

  it('ends the write lock, which is done with', async () => {
    const { locks } = await open();
    const writer = await locks.acquireWriteLock(uniqueName());
    const { signal } = writer;
    const reader = await writer.downgrade();
    expect(() => writer.assertHeld()).toThrow(/downgrade/);
    expect(await rejection(writer.txn({}))).toBeInstanceOf(LockNotHeldError);
    expect(await rejection(writer.downgrade())).toBeInstanceOf(LockNotHeldError);
    await writer.release(); // as in a finally
    expect(await reader.isHeld()).toBe(true);
    expect(signal.aborted).toBe(false);
    expect(await reader.renew(20_000)).toBe(true);
    await reader.release();
  });

  it('is refused when the lock is lost', async () => {
    const { locks, client } = await open();
    const writer = await locks.acquireWriteLock(uniqueName());
    await client.kv.delete(writer.etcdKey.replace('/q/', '/w/'));
    expect(await rejection(writer.downgrade())).toBeInstanceOf(LockNotHeldError);
    expect(writer.signal.aborted).toBe(true);
  });
});

it('goes on being renewed as what it has become (Redisson #4217)', async () => {
  const { locks } = await open();
  const options = { ttlMs: 1_000 };
  const [writer, reader] = await Promise.all([
    locks.acquireWriteLock(uniqueName(), options),
    locks.acquireReadLock(uniqueName(), options),
  ]);
  const both = await Promise.all([writer.downgrade(), reader.tryUpgrade()]);
  const until = performance.now() + 4_000; // etcd gives two seconds at least
  await eventually(() => performance.now() > until, { timeoutMs: 10_000, intervalMs: 250 });
  for (const lock of both) {
    expect(lock.signal.aborted).toBe(false);
    expect(await lock.isHeld()).toBe(true);
    await lock.release();
  }
});

describe('tryUpgrade', () => {
  it('makes a writer of a reader that is alone, with a higher token', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const reader = await a.locks.acquireReadLock(name);
    const writer = await reader.tryUpgrade();
    expect(writer.fencingToken).toBeGreaterThan(reader.fencingToken);
    expect(() => reader.assertHeld()).toThrow(LockNotHeldError);
    expect(await rejection(b.locks.tryAcquireReadLock(name))).toBeInstanceOf(LockConflictError);
    await writer.txn({ success: [{ put: { key: `/data/${name}`, value: 'written' } }] });
    expect(await writer.renew(20_000)).toBe(true);
    const again = await writer.downgrade();
    expect(again.fencingToken).toBe(writer.fencingToken); // the higher one stays
    await (await b.locks.tryAcquireReadLock(name)).release();
    const once = await again.tryUpgrade();
    expect(once.fencingToken).toBeGreaterThan(writer.fencingToken);
    await once.release();
    await noKeys(a, name);
  });

  it('refuses both of two readers, and neither waits', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const readers = await Promise.all([a, b].map(({ locks }) => locks.acquireReadLock(name)));
    const errors = await Promise.all(readers.map((reader) => rejection(reader.tryUpgrade())));
    for (const error of errors) expect(error).toBeInstanceOf(LockConflictError);
    for (const reader of readers) expect(await reader.isHeld()).toBe(true);
    const [stays, leaves] = readers;
    await leaves?.release();
    await (await stays?.tryUpgrade())?.release();
    await noKeys(a, name);
  });

  it('refuses when a writer waits', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const reader = await a.locks.acquireReadLock(name);
    const writing = b.locks.acquireWriteLock(name);
    await requests(a, name, 2);
    expect(await rejection(reader.tryUpgrade())).toBeInstanceOf(LockConflictError);
    await reader.release();
    await (await writing).release();
  });

  it('never makes two writers of many, tried at once', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    for (let round = 0; round < 10; round++) {
      const readers = await Promise.all([a, b, a].map(({ locks }) => locks.acquireReadLock(name)));
      const results = await Promise.allSettled(
        readers.map(async (reader, i) => {
          if (i !== round % 3) await reader.release();
          return reader.tryUpgrade();
        }),
      );
      const writers = results.filter((result) => result.status === 'fulfilled');
      expect(writers.length).toBeLessThanOrEqual(1);
      for (const { value } of writers) await value.release();
      for (const reader of readers) await reader.release().catch(() => undefined);
    }
    await noKeys(a, name);
  });
});
