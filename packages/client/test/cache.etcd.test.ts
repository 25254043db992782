import { inspect } from 'node:util';
import { eventually } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import {
  AbortedError,
  type CacheUpdate,
  ClosedError,
  type KeyValue,
  type Logger,
  TimeoutError,
  ValidationError,
} from '../src/index.js';
import { failure } from './failure.js';
import { farOfEachTest } from './far.js';
import { oneEtcd } from './one-etcd.js';

const { etcd, client } = await oneEtcd();
let warnings: string[] = [];
/** The client with the cache, behind the proxy. */
const far = farOfEachTest(etcd, () => {
  warnings = [];
  const ignored = () => undefined;
  const warn = (...args: unknown[]) => warnings.push(inspect(args, { depth: 5 }));
  const logger: Logger = { error: ignored, warn, info: ignored, debug: ignored };
  return { logger, requestTimeoutMs: 1_500 };
});

const decode = (kv: KeyValue) => kv.text();

describe('a cache', () => {
  it('has no gap between list and watch while others write, over cuts', async () => {
    const prefix = '/c/gap/';
    for (let i = 0; i < 50; i++) await client.kv.put(`${prefix}${i}`, '0');
    let writing = true;
    const writers = [0, 1].map(async (writer) => {
      for (let n = 0; writing; n++) {
        await client.kv.put(`${prefix}${(n * 7 + writer) % 60}`, `${writer}-${n}`);
        if (n % 5 === 0) await client.kv.delete(`${prefix}${(n * 3) % 60}`);
      }
    });
    for (let round = 0; round < 5; round++) {
      const cache = far.client.cache({ prefix }, { decode });
      await cache.ready;
      const copy = new Map(cache.entries());
      const changes = cache.changes();
      far.proxy.cut();
      const { revision } = await client.kv.put(`${prefix}end`, String(round));
      for await (const update of changes) {
        for (const change of update.changes) {
          if (change.value === undefined) copy.delete(change.key);
          else copy.set(change.key, change.value);
        }
        if (update.revision >= revision) {
          expect(update.revision).toBe(revision);
          break;
        }
      }
      const truth = await client.kv.range({ prefix }, { revision });
      expect([...copy].sort()).toEqual(truth.kvs.map((kv) => [kv.key, kv.text()]).sort());
      await cache.close();
    }
    writing = false;
    await Promise.all(writers);
  });

  it('isolates a value that cannot be decoded, and logs no value', async () => {
    await client.kv.put('/c/bad/a', '{"n":1}');
    await client.kv.put('/c/bad/b', 'hunter2');
    const cache = far.client.cache({ prefix: '/c/bad/' }, { decode: (kv) => kv.json() });
    await cache.ready;
    expect([...cache.entries()]).toEqual([['/c/bad/a', { n: 1 }]]);
    expect(cache.get('/c/bad/b')).toBeUndefined();
    const told = warnings.filter((line) => !line.includes('known faults')); // of this version of etcd
    expect(told).toHaveLength(1);
    expect(told[0]).toContain('/c/bad/b');
    expect(told[0]).not.toContain('hunter2'); // JSON.parse's message quotes it
    const changes = cache.changes();
    const { revision } = await client.kv.put('/c/bad/b', '{"n":2}');
    const { value: update } = await changes[Symbol.asyncIterator]().next();
    expect(update).toMatchObject({ revision, changes: [{ type: 'put', key: '/c/bad/b', value: { n: 2 } }] });
    expect(update.changes[0]).not.toHaveProperty('previous');
    expect(cache.get('/c/bad/b')).toEqual({ n: 2 });
  });

  it('serves the last known good through an outage, and says so', async () => {
    await client.kv.put('/c/outage/a', '1');
    const cache = far.client.cache({ prefix: '/c/outage/' }, { decode });
    await cache.ready;
    expect([cache.source, cache.ageMs]).toEqual(['live', 0]);
    await far.proxy.refuse();
    far.proxy.cut();
    await eventually(() => cache.source === 'stale');
    await eventually(() => cache.ageMs > 50);
    const { revision } = await client.kv.put('/c/outage/a', '2');
    expect(cache.get('/c/outage/a')).toBe('1');
    expect(await failure(cache.waitFor(revision, { timeoutMs: 100 }))).toBeInstanceOf(TimeoutError);
    await far.proxy.accept();
    await cache.waitFor(revision, { timeoutMs: 10_000 });
    await eventually(() => cache.source === 'live'); // it asks first whether there is more
    expect([cache.get('/c/outage/a'), cache.source, cache.ageMs]).toEqual(['2', 'live', 0]);
  });

  it('finds what changed, and what went, when the outage was compacted', async () => {
    for (const key of ['a', 'b', 'c']) await client.kv.put(`/c/compacted/${key}`, '1');
    const cache = far.client.cache({ prefix: '/c/compacted/' }, { decode });
    await cache.ready;
    const changes = cache.changes();
    await far.proxy.refuse();
    far.proxy.cut();
    await client.kv.put('/c/compacted/b', '2');
    await client.kv.delete('/c/compacted/c');
    const { revision } = await client.kv.put('/c/compacted/d', '1');
    await client.etcd3.kv.compact({ revision: revision.toString(), physical: true });
    await far.proxy.accept();
    const update: CacheUpdate<string> = (await changes[Symbol.asyncIterator]().next()).value;
    expect(update.resync).toBe(true);
    expect(
      update.changes.map(({ type, key, value, previous }) => [type, key.slice(-1), value, previous]),
    ).toEqual([
      ['put', 'b', '2', '1'],
      ['put', 'd', '1', undefined],
      ['delete', 'c', undefined, '1'],
    ]);
    expect([...cache.entries()].map(([key, value]) => key.slice(-1) + value).sort()).toEqual([
      'a1',
      'b2',
      'd1',
    ]);
    expect(cache.source).toBe('live');
  });

  it('synced: shows what its own client has written, by every way of writing', async () => {
    const cache = far.client.cache({ prefix: '/c/own/' }, { decode });
    await cache.ready;
    for (let i = 0; i < 20; i++) {
      await far.client.kv.put('/c/own/a', String(i));
      await cache.synced();
      expect(cache.get('/c/own/a')).toBe(String(i));
    }
    await far.client.kv.txn({ success: [{ txn: { success: [{ put: { key: '/c/own/b', value: 'x' } }] } }] });
    await cache.synced();
    expect(cache.get('/c/own/b')).toBe('x');
    await far.client.kv.delete({ prefix: '/c/' });
    await cache.synced();
    expect(cache.entries().size).toBe(0);
    await far.client.kv.put('/elsewhere', 'x');
    await cache.synced({ timeoutMs: 50 }); // a write outside of the range is not waited for
  });

  it('synced: waits for no more than a delete has done in the range', async () => {
    const cache = far.client.cache({ prefix: '/c/part/' }, { decode });
    await cache.ready;
    const { kv } = far.client;
    await kv.txn({ success: ['/c/part/a', '/c/part/x', '/c/q'].map((key) => ({ put: { key, value: '' } })) });
    await cache.synced();
    // It reaches into the range, and finds a key beyond it: no event will come here.
    expect((await kv.delete({ start: '/c/part/y', end: '/c/z' })).deleted).toBe(1);
    await cache.synced();
    expect((await kv.delete({ start: '/c/part/b', end: '/c/z' })).deleted).toBe(1);
    await cache.synced();
    expect([...cache.entries().keys()]).toEqual(['/c/part/a']);
    // Others may have been faster, and this client not have heard of it.
    const none = { prefix: '/c/part/' };
    await kv.put('/c/q', '');
    await Promise.all([client.kv.delete(none), kv.delete({ start: '/c/part', end: '/c/z' })]);
    await cache.synced();
    expect(cache.entries().size).toBe(0);
  });

  it('waitFor ends by timeout, abort and close, and refuses what is no revision', async () => {
    const cache = far.client.cache({ prefix: '/c/wait/' }, { decode });
    await cache.ready;
    const future = cache.revision + 1_000_000n;
    const controller = new AbortController();
    const waits = [
      failure(cache.waitFor(future, { timeoutMs: 30 })),
      failure(cache.waitFor(future, { signal: controller.signal })),
      failure(cache.waitFor(future)),
    ];
    controller.abort();
    expect(await waits[0]).toBeInstanceOf(TimeoutError);
    expect(await waits[1]).toBeInstanceOf(AbortedError);
    const bad: unknown = 5;
    expect(await failure(cache.waitFor(bad as bigint))).toBeInstanceOf(ValidationError);
    expect(() => far.client.cache('a', {} as { decode: typeof decode })).toThrow(ValidationError);
    await cache.waitFor(cache.revision);
    await far.client.close();
    expect(await waits[2]).toBeInstanceOf(ClosedError);
  });

  it('changes ends when the cache or the client closes, and when its loop breaks', async () => {
    const caches = [
      far.client.cache({ prefix: '/c/end/' }, { decode }),
      far.client.cache({ prefix: '/c/end/' }, { decode }),
    ];
    await Promise.all(caches.map(({ ready }) => ready));
    const loops = caches.map(async (cache) => {
      for await (const update of cache.changes()) if (update.revision === 0n) break;
      return 'ended';
    });
    await caches[0]?.close();
    expect(await loops[0]).toBe('ended');
    const { revision } = await client.kv.put('/c/end/a', 'x');
    await caches[1]?.waitFor(revision); // the other one goes on
    await far.client.close();
    expect(await loops[1]).toBe('ended');
  });

  it('equal ranges share one copy on the client, each with its own decode', async () => {
    await client.kv.put('/c/shared/a', '41');
    let decoded = 0;
    const text = far.client.cache({ prefix: '/c/shared/' }, { decode });
    const number = far.client.cache(
      { start: '/c/shared/', end: '/c/shared0' },
      {
        decode: (kv) => {
          decoded++;
          return Number(kv.text()) + 1;
        },
      },
    );
    await Promise.all([text.ready, number.ready]);
    expect([text.get('/c/shared/a'), number.get('/c/shared/a')]).toEqual(['41', 42]);
    for (let i = 0; i < 10; i++) number.entries();
    expect(decoded).toBe(1);
    const warm = far.client.cache({ prefix: '/c/shared/' }, { decode });
    expect(warm.get('/c/shared/a')).toBe('41'); // at once: the copy was there
    await text.close();
    await warm.close();
    const { revision } = await client.kv.put('/c/shared/a', '1');
    await number.waitFor(revision);
    expect(number.get('/c/shared/a')).toBe(2);
  });

  it('holds 5,000 keys and follows them', async () => {
    for (let i = 0; i < 5_000; i += 100) {
      const success = Array.from({ length: 100 }, (_, j) => ({
        put: { key: `/c/many/${i + j}`, value: 'x' },
      }));
      await client.kv.txn({ success });
    }
    const cache = far.client.cache({ prefix: '/c/many/' }, { decode });
    await cache.ready;
    expect(cache.entries().size).toBe(5_000);
    await client.kv.delete({ start: '/c/many/1', end: '/c/many/2' });
    const { revision } = await client.kv.put('/c/many/4999', 'y');
    await cache.waitFor(revision);
    expect(cache.entries().size).toBe(
      (await client.kv.range({ prefix: '/c/many/' }, { countOnly: true })).count,
    );
    expect(cache.get('/c/many/4999')).toBe('y');
  });
});
