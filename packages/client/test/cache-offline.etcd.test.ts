import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { eventually, startProxy, type Proxy as TcpProxy } from '@coord/testkit';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type CacheUpdate,
  type ClientOptions,
  type CoordClient,
  createClient,
  type KeyValue,
  ValidationError,
} from '../src/index.js';
import { oneEtcd } from './one-etcd.js';
import { kvCalls } from './rpc-count.js';

const { etcd, client } = await oneEtcd();
let proxy: TcpProxy;
let folder: string;
let file: string;
let warnings: string[];
const closing: CoordClient[] = [];

const decode = (kv: KeyValue) => kv.text();

beforeEach(async () => {
  proxy = await startProxy({ target: etcd.endpoint });
  folder = await mkdtemp(join(tmpdir(), 'coord-cache-'));
  file = join(folder, 'copy');
  warnings = [];
});
afterEach(async () => {
  for (const each of closing.splice(0)) await each.close({ timeoutMs: 500 });
  await proxy.close();
  await rm(folder, { recursive: true });
});

/** A client behind the proxy, as a process of its own would have it. */
function behind(options: ClientOptions = {}): CoordClient {
  const ignored = () => undefined;
  const warn = (...args: unknown[]) => warnings.push(inspect(args));
  const logger = { error: ignored, warn, info: ignored, debug: ignored };
  const own = createClient({ endpoints: [proxy.endpoint], requestTimeoutMs: 1_000, logger, ...options });
  closing.push(own);
  return own;
}

/** Fills the range, and the file from it. */
async function saved(prefix: string, entries: Record<string, string>): Promise<void> {
  for (const [key, value] of Object.entries(entries)) await client.kv.put(prefix + key, value);
  const own = behind();
  const cache = own.cache({ prefix }, { decode, snapshotFile: file });
  await cache.ready;
  await own.close();
}

async function cutOff(): Promise<void> {
  await proxy.refuse();
  proxy.cut();
}

const fileWarnings = () => warnings.filter((warning) => warning.includes('snapshot file'));

describe('a cache with a snapshot file', () => {
  it('starts without etcd from what it last knew, says so, and is replaced by etcd', async () => {
    await saved('/d/cold/', { a: '1', b: '2', gone: 'x' });
    await cutOff();
    await client.kv.put('/d/cold/b', '3');
    await client.kv.delete('/d/cold/gone');
    const { revision } = await client.kv.put('/d/cold/c', '4');

    const cache = behind().cache({ prefix: '/d/cold/' }, { decode, snapshotFile: file });
    await cache.ready;
    expect([cache.source, cache.revision > 0n, cache.revision < revision]).toEqual(['disk', true, true]);
    expect([...cache.entries()]).toEqual([
      ['/d/cold/a', '1'],
      ['/d/cold/b', '2'],
      ['/d/cold/gone', 'x'],
    ]);
    const { ageMs } = cache;
    expect(ageMs).toBeGreaterThan(500);
    await eventually(() => cache.ageMs > ageMs);

    const changes = cache.changes();
    await proxy.accept();
    await cache.waitFor(revision, { timeoutMs: 20_000 });
    await eventually(() => cache.source === 'live');
    const update: CacheUpdate<string> = (await changes[Symbol.asyncIterator]().next()).value;
    expect(update.resync).toBe(true);
    expect(update.changes.map(({ type, key, value, previous }) => [type, key, value, previous])).toEqual([
      ['put', '/d/cold/b', '3', '2'],
      ['put', '/d/cold/c', '4', undefined],
      ['delete', '/d/cold/gone', undefined, 'x'],
    ]);
  });

  it('asks etcd first: the disk is not used while etcd answers', async () => {
    await saved('/d/first/', { a: 'old' });
    await client.kv.put('/d/first/a', 'new');
    const cache = behind().cache({ prefix: '/d/first/' }, { decode, snapshotFile: file });
    await cache.ready;
    expect([cache.source, cache.get('/d/first/a')]).toEqual(['live', 'new']);
  });

  it('does not take a list that is older than the disk for a restored backup', async () => {
    await saved('/d/older/', { a: '1' });
    const own = behind({ requestTimeoutMs: 60_000 }); // the first attempt of the list has a quarter of it
    await own.kv.get('/d/older/a');
    proxy.blackhole('toClient'); // the list is on its way, and as old as it is when it arrives
    const { Range: asked } = await kvCalls(etcd.endpoint);
    const realSetTimeout = setTimeout;
    const patience = vi
      .spyOn(globalThis, 'setTimeout')
      .mockImplementation(((callback: () => void, ms = 0) =>
        realSetTimeout(callback, ms === 1_000 ? 4_000 : ms)) as typeof setTimeout);
    const cache = own.cache({ prefix: '/d/older/' }, { decode, snapshotFile: file });
    patience.mockRestore(); // only the look at the disk comes later: there is time to write
    await eventually(async () => (await kvCalls(etcd.endpoint)).Range > asked);
    const { revision } = await client.kv.put('/d/older/a', '2');
    const other = client.cache({ prefix: '/d/older/' }, { decode, snapshotFile: file });
    await other.waitFor(revision);
    await other.close(); // the file is up to date
    await cache.ready;
    expect([cache.source, cache.revision]).toEqual(['disk', revision]);
    const changes = cache.changes()[Symbol.asyncIterator]();
    const reached: bigint[] = [];
    proxy.heal();
    await eventually(
      () => {
        if (reached.at(-1) !== cache.revision) reached.push(cache.revision);
        return cache.source === 'live';
      },
      { timeoutMs: 20_000, intervalMs: 5 },
    );
    expect([cache.get('/d/older/a'), reached]).toEqual(['2', reached.toSorted((a, b) => Number(a - b))]);
    const last = await client.kv.put('/d/older/a', '3');
    expect((await changes.next()).value).toMatchObject({ revision: last.revision, resync: false });
    expect(warnings.filter((warning) => warning.includes('another history'))).toEqual([]);
  });

  it('writes changes down while it runs, readable by its owner only, and leaves nothing beside it', async () => {
    const cache = behind().cache({ prefix: '/d/live/' }, { decode, snapshotFile: file });
    await cache.ready;
    await client.kv.put('/d/live/a', Buffer.from([0, 255, 10]));
    await eventually(async () => expect(await readFile(file, 'latin1')).toContain('/d/live/a\0\u00ff\n'));
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await client.kv.put('/d/live/b', 'last');
    await eventually(() => cache.get('/d/live/b') === 'last');
    await cache.close(); // at once, without waiting for the second to pass
    expect(await readFile(file, 'latin1')).toContain('last');
    expect(await readdir(folder)).toEqual(['copy']);
  });

  it.each([
    ['empty', () => Buffer.alloc(0)],
    ['cut off', (whole: Buffer) => whole.subarray(0, -10)],
    ['with a flipped bit', (whole: Buffer) => Buffer.from(whole).fill(whole.readUInt8(100) ^ 1, 100, 101)],
    ['something else', () => Buffer.from('{"my":"config"}')],
  ])('a file that is %s is not used, and replaced', async (_, damage) => {
    await saved('/d/bad/', { a: '1' });
    await writeFile(file, damage(await readFile(file)));
    await cutOff();
    const own = behind();
    const cache = own.cache({ prefix: '/d/bad/' }, { decode, snapshotFile: file });
    await eventually(() => fileWarnings().length === 1);
    expect([cache.source, cache.revision, cache.entries().size]).toEqual(['stale', 0n, 0]);
    await proxy.accept();
    await cache.ready;
    expect([cache.source, cache.get('/d/bad/a')]).toEqual(['live', '1']);
    await own.close();
    expect(await readFile(file, 'latin1')).toContain('/d/bad/a1');
  });

  it('a file of another range or namespace is neither used nor overwritten', async () => {
    await saved('/d/mine/', { a: '1' });
    const before = await readFile(file);
    for (const [own, prefix] of [
      [behind(), '/d/other/'],
      [behind({ namespace: '/d' }), '/mine/'],
    ] as const) {
      await cutOff();
      warnings = [];
      const cache = own.cache({ prefix }, { decode, snapshotFile: file });
      await eventually(() => fileWarnings().length === 1);
      expect(cache.revision).toBe(0n);
      await proxy.accept();
      await cache.ready;
      await own.close();
      expect((await readFile(file)).equals(before)).toBe(true);
    }
  });

  it('what a crash in the middle of a write has left is not read, and removed later', async () => {
    await saved('/d/crash/', { a: '1' });
    const whole = await readFile(file);
    const [left, fresh] = [`${file}.4711.0123456789ab.tmp`, `${file}.4712.0123456789ab.tmp`];
    for (const each of [left, fresh]) await writeFile(each, whole.subarray(0, 50));
    await utimes(left, new Date(0), new Date(0));
    await cutOff();
    const cache = behind().cache({ prefix: '/d/crash/' }, { decode, snapshotFile: file });
    await cache.ready;
    expect([cache.source, cache.get('/d/crash/a')]).toEqual(['disk', '1']);
    expect((await readdir(folder)).sort()).toEqual(['copy', fresh.slice(folder.length + 1)]);
  });

  it('two processes share a file: the newer copy stays', async () => {
    const slow = behind();
    const slowCache = slow.cache({ prefix: '/d/two/' }, { decode, snapshotFile: file });
    await slowCache.ready;
    await client.kv.put('/d/two/a', 'known to both');
    await eventually(() => slowCache.get('/d/two/a') !== undefined);
    await cutOff(); // what it writes down from now on is old
    await client.kv.put('/d/two/a', 'newer');
    const fast = createClient({ endpoints: etcd.endpoints });
    closing.push(fast);
    await fast.cache({ prefix: '/d/two/' }, { decode, snapshotFile: file }).ready;
    await fast.close();
    await slow.close();
    expect(slowCache.get('/d/two/a')).toBe('known to both');
    expect(await readFile(file, 'latin1')).toContain('newer');
  });

  it('a folder that is not there costs a warning, not the cache', async () => {
    const cache = behind().cache(
      { prefix: '/d/nowhere/' },
      { decode, snapshotFile: join(folder, 'no/copy') },
    );
    await cache.ready;
    expect(cache.source).toBe('live');
    await cache.close();
    await eventually(() => fileWarnings().length > 0);
  });

  it('refuses what is no path, and one file for two ranges', async () => {
    const bad: unknown = 5;
    for (const snapshotFile of ['', bad as string]) {
      expect(() => client.cache('a', { decode, snapshotFile })).toThrow(ValidationError);
    }
    const own = behind();
    own.cache('/d/a', { decode, snapshotFile: file });
    own.cache('/d/a', { decode, snapshotFile: file });
    expect(() => own.cache('/d/b', { decode, snapshotFile: file })).toThrow(ValidationError);
  });
});
