import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  AbortedError,
  ClosedError,
  type CoordClient,
  connect,
  createClient,
  ValidationError,
  type WatchOptions,
} from '../src/index.js';
import { failure } from './failure.js';
import { farFrom } from './far.js';
import { next, readUntil, watchersOn } from './watch-support.js';

let etcd: EtcdServer;
let client: CoordClient;
const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown) => unhandled.push(reason);

beforeAll(async () => {
  process.on('unhandledRejection', onUnhandled);
  etcd = await startEtcd();
  client = await connect(etcd.connectOptions);
});
afterEach(() => {
  expect(unhandled).toEqual([]);
});
afterAll(async () => {
  process.off('unhandledRejection', onUnhandled);
  await client?.close();
  await etcd?.stop();
});

describe('a watch', () => {
  it('delivers what happens after ready, one batch a transaction', async () => {
    const watch = client.watch({ prefix: '/w/txn/' });
    await watch.ready;
    const { revision } = await client.kv.txn({
      success: ['a', 'b', 'c'].map((key) => ({ put: { key: `/w/txn/${key}`, value: key } })),
    });
    const deleted = await client.kv.delete('/w/txn/b');
    const [first, second] = await readUntil(watch, deleted.revision);
    expect(first).toMatchObject({ revision, resync: false });
    expect(first?.events.map(({ type, key, kv }) => [type, key, kv.text()])).toEqual([
      ['put', '/w/txn/a', 'a'],
      ['put', '/w/txn/b', 'b'],
      ['put', '/w/txn/c', 'c'],
    ]);
    expect(second?.events).toMatchObject([
      { type: 'delete', key: '/w/txn/b', kv: { modRevision: deleted.revision } },
    ]);
    expect(second?.events[0]).not.toHaveProperty('previous');
  });

  it('filters and previous values work, with every resync mode', async () => {
    for (const resync of ['difference', 'snapshot', 'error'] as const) {
      const { revision: start } = await client.kv.put('/w/filter', '1');
      await client.kv.put('/w/filter', '2');
      const { revision } = await client.kv.delete('/w/filter');
      const read = async (options: WatchOptions) => {
        const watch = client.watch('/w/filter', { startRevision: start, previous: true, resync, ...options });
        const marker = options.ignore === 'delete' ? start + 1n : revision;
        const batches = await readUntil(watch, marker);
        return batches.flatMap(({ events }) => events.map((e) => `${e.type}:${e.previous?.text() ?? ''}`));
      };
      expect(await read({})).toEqual(['put:', 'put:1', 'delete:2']);
      expect(await read({ ignore: 'put' })).toEqual(['delete:2']);
      expect(await read({ ignore: 'delete' })).toEqual(['put:', 'put:1']);
    }
  });

  it('with a start revision delivers everything from there, though it is read late', async () => {
    // etcd3's `create()` resolves after the first events have been emitted to nobody.
    const { revision: start } = await client.kv.put('/w/first', '0');
    for (let i = 1; i < 20; i++) await client.kv.put('/w/first', String(i));
    const watches = Array.from({ length: 30 }, () => client.watch('/w/first', { startRevision: start }));
    await Promise.all(watches.map(({ ready }) => ready));
    const { revision: end } = await client.kv.put('/w/first', '20');
    for (const watch of watches) {
      const values = (await readUntil(watch, end)).map(({ events }) => events[0]?.kv.text());
      expect(values).toEqual(Array.from({ length: 21 }, (_, i) => String(i)));
    }
  });

  it('from a revision that is still to come waits for it', async () => {
    const { revision } = await client.kv.put('/w/future', 'now');
    const watch = client.watch('/w/future', { startRevision: revision + 3n });
    await watch.ready;
    for (const value of ['1', '2', '3', '4']) await client.kv.put('/w/future', value);
    const batches = await readUntil(watch, revision + 4n);
    expect(batches.map(({ events }) => events[0]?.kv.text())).toEqual(['3', '4']);
  });
});

describe('what a watch refuses before anything is sent', () => {
  it.each<[string, WatchOptions, string]>([
    ['a negative revision', { startRevision: -1n }, 'startRevision'],
    ['a revision beyond 64 bits', { startRevision: 2n ** 63n }, 'startRevision'],
    ['a buffer of nothing', { maxBuffered: 0 }, 'maxBuffered'],
    ['half a batch', { maxBuffered: 1.5 }, 'maxBuffered'],
  ])('%s', (_what, options, path) => {
    expect(() => client.watch('a', options)).toThrow(ValidationError);
    expect(() => client.watch('a', options)).toThrow(path);
  });

  it('an empty key, an empty range, a key of more than 1 MiB, an aborted signal', async () => {
    expect(() => client.watch('')).toThrow(ValidationError);
    expect(() => client.watch({ start: 'b', end: 'a' })).toThrow(ValidationError);
    expect(() => client.watch('k'.repeat(1_048_577))).toThrow(ValidationError);
    expect(() => client.watch('a', { signal: AbortSignal.abort() })).toThrow(AbortedError);
    await using large = client.watch('k'.repeat(1_000_000)); // etcd takes it, so do we
    await using neighbour = client.watch('/w/neighbour');
    await Promise.all([large.ready, neighbour.ready]);
    const { revision } = await client.kv.put('/w/neighbour', 'x');
    expect(await next(neighbour)).toMatchObject({ revision });
  });

  it('the largest revision there is waits for ever, and harms nobody', async () => {
    await using never = client.watch('/w/never', { startRevision: 2n ** 63n - 1n });
    await never.ready;
    await using other = client.watch('/w/never');
    await other.ready;
    const { revision } = await client.kv.put('/w/never', 'x');
    expect(await next(other)).toMatchObject({ revision });
  });
});

describe('the end of a watch', () => {
  it('is an AbortedError, or break, or close, however often; and etcd is told', async () => {
    const none = async () => expect(await watchersOn(etcd)).toBe(0);
    await eventually(none); // those of other tests have gone
    const controller = new AbortController();
    const aborted = client.watch('/w/end/1', { signal: controller.signal });
    const broken = client.watch('/w/end/2');
    const closed = client.watch('/w/end/3');
    const early = client.watch('/w/end/4');
    await early.close(); // before it was created
    expect(await failure(early.ready)).toBeInstanceOf(ClosedError);
    await Promise.all([aborted.ready, broken.ready, closed.ready]);
    await eventually(async () => expect(await watchersOn(etcd)).toBe(3));
    const loops = [aborted, closed].map(async (watch) => {
      for await (const batch of watch) expect.fail(`got ${batch.revision}`);
      return 'ended';
    });
    const abortedLoop = failure(loops[0] ?? Promise.resolve());
    controller.abort();
    await closed.close();
    await closed.close();
    expect(await abortedLoop).toBeInstanceOf(AbortedError);
    expect(await loops[1]).toBe('ended');
    const { revision } = await client.kv.put('/w/end/2', 'x');
    await readUntil(broken, revision); // breaks
    await eventually(none);
  });

  it('comes with the client’s', async () => {
    const own = await connect(etcd.connectOptions);
    const watch = own.watch('/w/client');
    const loop = (async () => {
      for await (const batch of watch) expect.fail(`got ${batch.revision}`);
      return 'ended';
    })();
    await watch.ready;
    await own.close();
    expect(await loop).toBe('ended');
  });

  it('comes with an error in the loop, which is the loop’s own', async () => {
    const before = await watchersOn(etcd);
    const watch = client.watch('/w/throw');
    await watch.ready;
    await client.kv.put('/w/throw', 'x');
    const loop = (async () => {
      for await (const { revision } of watch) throw new RangeError(`no ${revision}`);
    })();
    expect(await failure(loop)).toBeInstanceOf(RangeError);
    await eventually(async () => expect(await watchersOn(etcd)).toBe(before));
  });

  it('close resolves at once though the server hangs, also when it is not attached yet', async () => {
    // etcd3: cancelling twice, cancelling what was refused, or cancelling at a hung server never resolves.
    await using far = await farFrom(etcd);
    const attached = far.client.watch('/w/hung');
    await attached.ready;
    far.proxy.blackhole();
    const pending = far.client.watch('/w/hung/new');
    const closing = Promise.all([attached.close(), pending.close(), attached.close(), pending.close()]);
    const turn = new Promise((resolve) => setImmediate(resolve, 'a turn of the event loop'));
    expect(await Promise.race([closing, turn])).toHaveLength(4);
  });

  it('close of a paused watch drops what it holds', async () => {
    const watch = client.watch({ prefix: '/w/paused/' }, { maxBuffered: 1 });
    await watch.ready;
    for (let i = 0; i < 5; i++) await client.kv.put(`/w/paused/${i}`, '');
    const loop = watch[Symbol.asyncIterator]();
    await loop.next(); // it has been paused by now, and goes on
    await watch.close();
    expect(await loop.next()).toEqual({ done: true, value: undefined });
  });

  it('a second loop is refused, the first goes on', async () => {
    await using watch = client.watch('/w/twice');
    const loop = watch[Symbol.asyncIterator]();
    expect(() => watch[Symbol.asyncIterator]()).toThrow('iterated only once');
    await watch.ready;
    const { revision } = await client.kv.put('/w/twice', 'x');
    expect((await loop.next()).value).toMatchObject({ revision });
  });
});

describe('a watch that comes while the stream of an abandoned one is being opened', () => {
  it('is attached, at whichever moment it comes', async () => {
    // A stream takes some microtasks to open: the second watch comes after each number of them.
    for (let turns = 0; turns < 40; turns++) {
      await using fresh = createClient(etcd.connectOptions);
      const abandoned = fresh.watch('nobody-waits');
      await abandoned.close();
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      await using late = fresh.watch('somebody-waits');
      await expect(late.ready).resolves.toBeUndefined();
    }
  });
});
