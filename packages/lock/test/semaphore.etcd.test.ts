import { AbortedError, ConflictError, type CoordClient, ValidationError } from '@coord/client';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  LockConflictError,
  LockExpiredError,
  LockNotHeldError,
  LockTimeoutError,
  type Permit,
} from '../src/index.js';
import { record } from './replay.js';
import { aborted, isSettled, metric, moment, party, rejection, uniqueName } from './support.js';

let etcd: EtcdServer;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());

/** Calls of many contenders on one name take turns: on a busy machine a release may wait for seconds. */
const PATIENT = { requestTimeoutMs: 20_000 };
const open = (config?: Parameters<typeof party>[1]) => party({ ...etcd.connectOptions, ...PATIENT }, config);
const queue = (name: string) => `/coord/locks/sem/${name}/q/`;

async function requestKeys(client: CoordClient, name: string): Promise<string[]> {
  const sort = { by: 'create', order: 'ascend' } as const;
  return (await client.kv.range({ prefix: queue(name) }, { sort })).kvs.map(({ key }) => key);
}

async function requests(client: CoordClient, name: string, count: number): Promise<void> {
  await eventually(async () => expect(await requestKeys(client, name)).toHaveLength(count), {
    timeoutMs: 10_000,
  });
}

describe('a semaphore', () => {
  it('lets in as many as there are permits, and the next one when somebody leaves', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const [here, there] = [a, b].map(({ locks }) => locks.semaphore(name, { permits: 2 }));
    if (here === undefined || there === undefined) throw new Error('two semaphores');
    const [first, second] = [await here.acquire(), await there.acquire()];
    expect(second.fencingToken).toBeGreaterThan(first.fencingToken);
    const error = await rejection(there.tryAcquire());
    if (!(error instanceof LockConflictError)) throw error;
    expect(error.holder).toMatchObject({ etcdKey: first.etcdKey, pid: process.pid });
    const waiting = here.acquire();
    await requests(a.client, name, 3);
    expect(await isSettled(waiting)).toBe(false);
    await second.release(); // not the one just before it
    const third = await waiting;
    expect(await third.isHeld()).toBe(true);
    expect(third.weight).toBe(1);
    await third.txn({ success: [{ put: { key: `/data/${name}`, value: 'x' } }] });
    await Promise.all([first.release(), third.release()]);
    expect(await requestKeys(a.client, name)).toEqual([]);
  });

  it('is strictly first come, first served: a request for many is not starved by requests for few', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const here = a.locks.semaphore(name, { permits: 3 });
    const there = b.locks.semaphore(name, { permits: 3 });
    const one = await here.acquire();
    const all = there.acquire(3);
    await requests(a.client, name, 2);
    // Two permits are free, and yet nobody passes.
    expect(await rejection(here.tryAcquire())).toBeInstanceOf(LockConflictError);
    const small = here.acquire(1);
    await requests(a.client, name, 3);
    expect(await isSettled(Promise.race([all, small]))).toBe(false);
    await one.release();
    const big = await all;
    expect(await isSettled(small)).toBe(false);
    await big.release();
    await (await small).release();
  });

  it('never gives more permits than there are, by the revisions at which guarded writes were made', async () => {
    const name = uniqueName();
    const permits = 4;
    const clients = await Promise.all([open(), open(), open()]);
    const data = `/data/${name}/`;
    const recording = await record(clients[0].client, { queue: queue(name), data });
    let inside = 0;
    let most = 0;
    await Promise.all(
      clients.flatMap(({ locks, client }, i) => {
        const semaphore = locks.semaphore(name, { permits });
        return Array.from({ length: 15 }, async (_, j) => {
          const permit = await semaphore.acquire(1 + ((i + j) % permits));
          inside += permit.weight;
          most = Math.max(most, inside);
          await permit.txn({ success: [{ put: { key: `${data}${i}-${j}`, value: permit.etcdKey } }] });
          await client.kv.get('anything');
          inside -= permit.weight;
          await permit.release();
        });
      }),
    );
    expect(most).toBeLessThanOrEqual(permits);
    expect(most).toBeGreaterThan(1); // and it does let in more than one
    const moments = await recording.moments();
    expect(moments).toHaveLength(45);
    for (const { event, queue: present } of moments) {
      const position = present.findIndex(({ key }) => key === event.kv.text());
      expect(position).toBeGreaterThanOrEqual(0);
      const weights = present.slice(0, position + 1).map(({ key }) => Number(key.split('.').at(-1)));
      expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeLessThanOrEqual(permits);
    }
    expect(await requestKeys(clients[0].client, name)).toEqual([]);
  });

  it('gives each free permit to exactly one of many who try at once', async () => {
    const name = uniqueName();
    const clients = await Promise.all([open(), open()]);
    const attempts = clients.flatMap(({ locks }) => {
      const semaphore = locks.semaphore(name, { permits: 3 });
      return Array.from({ length: 6 }, () => semaphore.tryAcquire());
    });
    const results = await Promise.allSettled(attempts);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(LockConflictError);
    }
  });

  it('has one watch for all who wait in a process', async () => {
    const own = await startEtcd(); // so that no other watch is counted
    onTestFinished(() => own.stop());
    const { locks, client } = await party(own.connectOptions);
    const semaphore = locks.semaphore('shared', { permits: 1 });
    const first = await semaphore.acquire();
    const waiting = Array.from({ length: 20 }, () => semaphore.acquire().then((permit) => permit.release()));
    await requests(client, 'shared', 21);
    // One for the semaphore, one for the key of the permit that is held.
    await eventually(async () =>
      expect(await metric(own.endpoint, 'etcd_debugging_mvcc_watcher_total')).toBe(2),
    );
    await first.release();
    await Promise.all(waiting);
    await requests(client, 'shared', 0);
  });
});

describe('the number of permits', () => {
  it('is the same for all: another one is refused, naming both', async () => {
    const name = uniqueName();
    const { locks, client } = await open();
    await (await locks.semaphore(name, { permits: 2 }).acquire()).release();
    const other = locks.semaphore(name, { permits: 5 });
    for (const attempt of ['acquire', 'tryAcquire'] as const) {
      const error = await rejection(other[attempt]());
      expect(error).toBeInstanceOf(ConflictError);
      expect(error).not.toBeInstanceOf(LockConflictError);
      expect(error).toMatchObject({
        key: name,
        message: expect.stringMatching(/has 2 permits.* 5 .*setPermits/),
      });
    }
    expect(await requestKeys(client, name)).toEqual([]);
    await other.setPermits(5);
    await (await other.acquire(5)).release();
  });

  it('can be raised: those who wait notice', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const here = a.locks.semaphore(name, { permits: 1 });
    const there = b.locks.semaphore(name, { permits: 1 });
    const first = await here.acquire();
    // Well before anybody would look all the same.
    const waiting = [here.acquire(1, { timeoutMs: 10_000 }), there.acquire(1, { timeoutMs: 10_000 })];
    await requests(a.client, name, 3);
    expect(await isSettled(Promise.race(waiting))).toBe(false);
    await b.locks.semaphore(name, { permits: 1 }).setPermits(3);
    const permits = await Promise.all(waiting);
    for (const permit of [first, ...permits]) expect(await permit.isHeld()).toBe(true);
  });

  it('can be lowered: nobody loses a permit, and nobody new gets in before there is room', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const semaphore = a.locks.semaphore(name, { permits: 3 });
    const held: Permit[] = [await semaphore.acquire(), await semaphore.acquire(), await semaphore.acquire()];
    const [one, two, three] = held;
    const big = rejection(semaphore.acquire(3));
    await requests(a.client, name, 4);
    await semaphore.setPermits(1);
    expect(semaphore.permits).toBe(1);
    // It can never be served any more.
    expect(await big).toMatchObject({ name: 'ConflictError', message: expect.stringContaining('1 permits') });
    const waiting = b.locks.semaphore(name, { permits: 1 }).acquire();
    await requests(a.client, name, 4);
    for (const permit of held) expect(await permit.isHeld()).toBe(true);
    await one?.release();
    await two?.release();
    expect(await isSettled(waiting)).toBe(false);
    await three?.release();
    await (await waiting).release();
  });

  it('is taken as it was when somebody deletes it', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const first = await a.locks.semaphore(name, { permits: 1 }).acquire();
    const waiting = b.locks.semaphore(name, { permits: 1 }).acquire();
    await requests(a.client, name, 2);
    await a.client.kv.delete(`/coord/locks/sem/${name}/limit`);
    expect(await isSettled(waiting)).toBe(false);
    await first.release();
    await (await waiting).release();
    await (await a.locks.semaphore(name, { permits: 1 }).acquire()).release();
    expect((await a.client.kv.get(`/coord/locks/sem/${name}/limit`))?.text()).toBe('1');
  });

  it('and weights are checked before anything is written', async () => {
    const name = uniqueName();
    const { locks, client } = await open();
    const before = (await client.kv.range('x')).revision;
    const bad = [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '1', null, 2 ** 53, 2 ** 31];
    for (const permits of bad) {
      expect(() => Reflect.apply(locks.semaphore, locks, [name, { permits }])).toThrow(ValidationError);
    }
    for (const options of [undefined, null, 3, {}]) {
      expect(() => Reflect.apply(locks.semaphore, locks, [name, options])).toThrow(ValidationError);
    }
    for (const key of ['', '..', '\0', 5]) {
      expect(() => Reflect.apply(locks.semaphore, locks, [key, { permits: 1 }])).toThrow(ValidationError);
    }
    const semaphore = locks.semaphore(name, { permits: 2 });
    for (const weight of [...bad, 3]) {
      for (const method of [semaphore.acquire, semaphore.tryAcquire]) {
        const error = await rejection(Reflect.apply(method, semaphore, [weight]));
        if (!(error instanceof ValidationError)) throw error;
        expect(error.issues.map(({ path }) => path)).toEqual(['weight']);
      }
    }
    expect(await rejection(semaphore.setPermits(0))).toBeInstanceOf(ValidationError);
    expect(await rejection(semaphore.acquire(1, { ttlMs: 0 }))).toBeInstanceOf(ValidationError);
    expect((await client.kv.range('x')).revision).toBe(before);
    await (await semaphore.acquire(2)).release();
  });
});

describe('a permit', () => {
  it('leaves no key when its request is aborted at any moment', async () => {
    const [holder, { locks, client }] = await Promise.all([open(), open()]);
    const [free, taken] = [uniqueName(), uniqueName()];
    await holder.locks.semaphore(taken, { permits: 1 }).acquire();
    for (let step = 0; step < 40; step++) {
      // A name that nobody has used: its number of permits is written on the way.
      for (const name of [`${free}-${step}`, taken]) {
        const abort = new AbortController();
        const semaphore = locks.semaphore(name, { permits: 1 });
        const attempt = semaphore.acquire(1, { signal: abort.signal }).then(
          (permit) => permit.release(),
          (error: unknown) => expect(error).toBeInstanceOf(AbortedError),
        );
        await moment(step, 40);
        abort.abort();
        await attempt;
      }
    }
    await requests(client, taken, 1);
    await eventually(async () => {
      const { kvs } = await client.kv.range({ prefix: `/coord/locks/sem/${free}` });
      expect(kvs.filter(({ key }) => key.includes('/q/'))).toEqual([]);
    });
  });

  it('is waited for until a timeout, which says for what', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    await a.locks.semaphore(name, { permits: 1 }).acquire(1, { purpose: 'import' });
    const waiting = b.locks.semaphore(name, { permits: 1 }).acquire(1, { timeoutMs: 500 });
    const error = await rejection(waiting);
    if (!(error instanceof LockTimeoutError)) throw error;
    expect(error).toMatchObject({ ahead: 1, holder: { purpose: 'import' } });
    await requests(a.client, name, 1);
  });

  it('is lost when its key is deleted, and so is a place in the queue', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const permit = await a.locks.semaphore(name, { permits: 1 }).acquire();
    const waiting = rejection(b.locks.semaphore(name, { permits: 1 }).acquire());
    await requests(a.client, name, 2);
    const [, waitingKey = ''] = await requestKeys(a.client, name);
    await a.client.kv.delete(waitingKey);
    expect(await waiting).toBeInstanceOf(LockExpiredError);
    const lost = aborted(permit.signal);
    await a.client.kv.delete(permit.etcdKey);
    expect(await lost).toBeInstanceOf(LockExpiredError);
    expect(await rejection(permit.txn({}))).toBeInstanceOf(LockNotHeldError);
    expect(await rejection(permit.release())).toBeInstanceOf(LockNotHeldError);
  });

  it('keeps its place over a compaction', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const permit = await a.locks.semaphore(name, { permits: 1 }).acquire();
    const waiting = b.locks.semaphore(name, { permits: 1 }).acquire();
    await requests(a.client, name, 2);
    for (let i = 0; i < 20; i++) await a.client.kv.put('noise', String(i));
    const { revision } = await a.client.kv.range('noise');
    await etcd.etcdctl(['compaction', revision.toString()]);
    await permit.release();
    await (await waiting).release();
  });
});
