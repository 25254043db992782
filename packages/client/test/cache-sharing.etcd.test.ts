import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type CacheUpdate, type CoordClient, connect, type KeyValue } from '../src/index.js';

let etcd: EtcdServer;
let writer: CoordClient;
let client: CoordClient;

const decode = (kv: KeyValue) => kv.text();

beforeAll(async () => {
  etcd = await startEtcd();
  writer = await connect(etcd.connectOptions);
});
beforeEach(async () => {
  client = await connect(etcd.connectOptions);
});
afterEach(async () => {
  await client.close();
});
afterAll(async () => {
  await writer?.close();
  await etcd?.stop();
});

async function watchers(): Promise<number> {
  const metrics = await (await fetch(`${etcd.endpoint}/metrics`)).text();
  const line = metrics.split('\n').find((each) => each.startsWith('etcd_debugging_mvcc_watcher_total '));
  return Number(line?.split(' ')[1]);
}

describe('keys', () => {
  it('that are no UTF-8 stay apart, from each other and from text', async () => {
    const keys = [[0xff], [0xfe], [0xef, 0xbf, 0xbd]].map((bytes) => Buffer.from([0x6b, ...bytes]));
    for (const [index, key] of keys.entries()) await writer.kv.put(key, String(index));
    const cache = client.cache({ prefix: 'k' }, { decode });
    await cache.ready;
    expect(keys.map((key) => cache.get(key))).toEqual(['0', '1', '2']);
    expect(cache.get('k\ufffd')).toBe('2'); // that character itself
    expect([...cache.entries().values()].sort()).toEqual(['0', '1', '2']);

    const changes = cache.changes();
    const { revision } = await writer.kv.delete(keys[0] ?? '');
    const update: CacheUpdate<string> = (await changes[Symbol.asyncIterator]().next()).value;
    expect(update.changes).toMatchObject([{ type: 'delete', previous: '0' }]);
    expect(update.revision).toBe(revision);
    expect(keys.map((key) => cache.get(key))).toEqual([undefined, '1', '2']);
    for (const key of cache.entries().keys()) expect(cache.get(key)).toBe(cache.entries().get(key));
  });

  it('may be called as what objects have already', async () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
    for (const name of names) await writer.kv.put(`p/${name}`, name);
    await writer.kv.put('__proto__', 'bare');
    const below = client.cache({ prefix: 'p/' }, { decode });
    const bare = client.cache({ prefix: '__' }, { decode });
    await Promise.all([below.ready, bare.ready]);
    for (const name of names) expect(below.get(`p/${name}`)).toBe(name);
    expect([bare.get('__proto__'), bare.get('constructor')]).toEqual(['bare', undefined]);
    expect([...bare.entries()]).toEqual([['__proto__', 'bare']]);
    expect(bare.entries().has('constructor')).toBe(false);
  });
});

describe('one copy for all who want a range', () => {
  it('each reader has its own decode, also one that throws', async () => {
    await writer.kv.put('/own/a', '1');
    const text = client.cache({ prefix: '/own/' }, { decode });
    const strict = client.cache(
      { prefix: '/own/' },
      {
        decode: (kv) => {
          if (kv.text() === 'bad') throw new Error('bad');
          return kv.text();
        },
      },
    );
    await Promise.all([text.ready, strict.ready]);
    expect(strict.get('/own/a')).toBe('1');
    const [ofText, ofStrict] = [text.changes(), strict.changes()];
    await writer.kv.put('/own/a', 'bad');
    const [seen] = (await ofText[Symbol.asyncIterator]().next()).value.changes;
    expect(seen).toMatchObject({ type: 'put', value: 'bad', previous: '1' });
    const [left] = (await ofStrict[Symbol.asyncIterator]().next()).value.changes;
    expect(left).toMatchObject({ type: 'put', previous: '1' });
    expect(left).not.toHaveProperty('value');
    // An older value would not be what etcd has, and nothing would tell.
    expect([strict.get('/own/a'), strict.entries().size, text.get('/own/a')]).toEqual([undefined, 0, 'bad']);
    await writer.kv.put('/own/a', '2');
    const [back] = (await ofStrict[Symbol.asyncIterator]().next()).value.changes;
    expect(back).toMatchObject({ type: 'put', value: '2' });
    expect(back).not.toHaveProperty('previous');
  });

  it('snapshots do not change with the cache, and only a change makes a new one', async () => {
    await writer.kv.put('/snap/a', '1');
    const cache = client.cache({ prefix: '/snap/' }, { decode });
    await cache.ready;
    const first = cache.entries();
    expect(cache.entries()).toBe(first);
    const { revision } = await writer.kv.put('/snap/b', '2');
    await cache.waitFor(revision);
    const second = cache.entries();
    expect(second).not.toBe(first);
    expect([first.size, first.has('/snap/b'), [...first.keys()]]).toEqual([1, false, ['/snap/a']]);
    const seen: unknown[] = [];
    second.forEach((value, key, map) => {
      seen.push([key, value, map === second]);
    });
    expect(seen).toEqual([
      ['/snap/a', '1', true],
      ['/snap/b', '2', true],
    ]);
    await cache.close();
    expect([...cache.entries()]).toEqual([...second]);
  });

  it('a slow reader of changes gets the newest state in bounded memory', async () => {
    const cache = client.cache({ prefix: '/slow/' }, { decode });
    await cache.ready;
    const changes = cache.changes();
    for (let from = 0; from < 3_000; from += 100) {
      await Promise.all(
        // Each in a revision of its own.
        Array.from({ length: 100 }, (_, i) =>
          writer.kv.put(`/slow/${(from + i) % 10}`, `${from + i}`, { coalesce: false }),
        ),
      );
    }
    const { revision } = await writer.kv.put('/slow/end', 'x');
    await cache.waitFor(revision);
    const copy = new Map<string, string>();
    let updates = 0;
    for await (const update of changes) {
      updates++;
      for (const { key, value } of update.changes) if (value !== undefined) copy.set(key, value);
      if (update.revision === revision) break;
    }
    expect(updates).toBe(1_025);
    expect([...copy].sort()).toEqual([...cache.entries()].sort());
  });

  it('is kept a while after the last reader, then etcd is told that nobody watches', async () => {
    const realSetTimeout = setTimeout;
    const shorter = vi
      .spyOn(globalThis, 'setTimeout')
      .mockImplementation(((callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) =>
        realSetTimeout(callback, ms === 30_000 ? 1_000 : ms, ...args)) as typeof setTimeout);
    try {
      const before = await watchers();
      const first = client.cache({ prefix: '/linger/' }, { decode });
      await first.ready;
      const second = client.cache({ prefix: '/linger/' }, { decode });
      await eventually(async () => expect(await watchers()).toBe(before + 1));
      await first.close();
      await first.close(); // counts once
      await writer.kv.put('/linger/a', '1');
      await eventually(() => second.get('/linger/a') === '1');
      await second.close();
      expect(await watchers()).toBe(before + 1);
      const third = client.cache({ prefix: '/linger/' }, { decode });
      expect(third.get('/linger/a')).toBe('1'); // warm
      await third.close();
      await eventually(async () => expect(await watchers()).toBe(before), { timeoutMs: 10_000 });
    } finally {
      shorter.mockRestore();
    }
  });
});
