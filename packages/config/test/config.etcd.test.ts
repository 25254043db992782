import { AbortedError, ClosedError, NotFoundError, ValidationError } from '@coord/client';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createConfigCenter, VersionConflictError } from '../src/index.js';
import { compact, useEtcd } from './setup.js';

const t = useEtcd();
const rawKey = (key: string) => `/config/${key}`;
const metaKey = (key: string) => `/coord/config/meta/${key}`;

describe('get and set', () => {
  it('counts versions, and returns value and version together', async () => {
    const key = t.key();
    const first = await t.config.set(key, { port: 1 }, { metadata: { owner: 'ops' } });
    const second = await t.config.set(key, { port: 2 });
    expect([first.version, second.version]).toEqual([1, 2]);
    expect(second.revision).toBeGreaterThan(first.revision);
    const read = await t.config.get(key);
    expect(read).toMatchObject({
      key,
      value: { port: 2 },
      version: 2,
      revision: second.revision,
      external: false,
    });
    expect(read.metadata).toEqual({ owner: 'ops' });
    expect(read.createTime).toEqual(first.createTime);
    expect(read.updateTime).toEqual(second.updateTime);
    expect(await t.config.getVersion(key)).toBe(2);
    expect(JSON.parse(JSON.stringify(read))).toMatchObject({ version: 2, revision: String(second.revision) });
  });

  it('stores what etcdctl and other languages read', async () => {
    const [text, json, bytes] = [t.key('text'), t.key('json'), t.key('bytes')];
    await t.config.set(text, 'plain');
    await t.config.set(json, { a: [1] });
    await t.config.set(bytes, Uint8Array.of(0, 255));
    expect((await t.client.kv.get(rawKey(text)))?.text()).toBe('plain');
    expect((await t.client.kv.get(rawKey(json)))?.text()).toBe('{"a":[1]}');
    expect([...((await t.client.kv.get(rawKey(bytes)))?.value ?? [])]).toEqual([0, 255]);
  });

  it.each([
    ['a string of digits', '123'],
    ['a string that looks like JSON', '{"a":1}'],
    ['an int64', { id: 9223372036854775807n }],
    ['a large double', 2 ** 60],
    ['bytes', Uint8Array.of(0xff, 0, 10)],
    ['nothing', ''],
    ['null', null],
  ])('%s comes back as it went in', async (_name, value) => {
    const key = t.key();
    await t.config.set(key, value);
    expect((await t.config.get(key)).value).toEqual(value);
  });

  it('writes value, record and history in one transaction', async () => {
    const key = t.key();
    const { revision } = await t.config.set(key, 1);
    const written = [rawKey(key), metaKey(key), `/coord/config/hist/${key}/@/000000000001`];
    const found = await Promise.all(written.map((name) => t.client.kv.get(name)));
    expect(found.map((kv) => kv?.modRevision)).toEqual([revision, revision, revision]);
  });

  it('does not write an equal value again, unless forced', async () => {
    const key = t.key();
    const first = await t.config.set(key, { a: 1, b: 2 });
    const again = await t.config.set(key, { b: 2, a: 1 });
    expect([again.version, again.revision]).toEqual([1, first.revision]);
    expect((await t.config.set(key, { a: 1, b: 2 }, { metadata: { x: 'y' } })).version).toBe(2);
    expect((await t.config.set(key, { a: 1, b: 2 }, { force: true })).version).toBe(3);
    expect((await t.config.set(t.key(), 1)).version).toBe(1);
  });

  it('tells a number from a string with the same bytes', async () => {
    const key = t.key();
    await t.config.set(key, 1);
    expect((await t.config.set(key, '1')).version).toBe(2);
    expect((await t.config.get(key)).value).toBe('1');
  });

  it('tells an absent key from a fallback', async () => {
    const key = t.key();
    await expect(t.config.get(key)).rejects.toThrow(NotFoundError);
    await expect(t.config.getValue(key)).rejects.toThrow(NotFoundError);
    expect(await t.config.getValue(key, 5)).toBe(5);
    expect(await t.config.getVersion(key)).toBe(0);
    await t.config.set(key, 6);
    expect(await t.config.getValue(key, 5)).toBe(6);
  });

  it('takes a leading slash as the same key', async () => {
    const key = t.key();
    await t.config.set(`/${key}`, 1);
    expect((await t.config.get(key)).key).toBe(key);
  });
});

describe('input', () => {
  it.each(['', 'a//b', '../lock/x', 'a/@/1', 'a\0', '.'])(
    'refuses the key %j before any I/O',
    async (key) => {
      for (const call of [
        t.config.get(key),
        t.config.set(key, 1),
        t.config.delete(key),
        t.config.getVersion(key),
        t.config.getHistory(key),
        t.config.rollback(key, 1),
      ]) {
        await expect(call).rejects.toThrow(ValidationError);
      }
      expect(() => t.config.watch(key)).toThrow(ValidationError);
    },
  );

  it('reports every problem at once', async () => {
    const call = t.config.set(
      'a//b',
      { x: undefined },
      { version: -1, comment: 5 as unknown as string, timeoutMs: 0 },
    );
    const error = await call.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ValidationError);
    const paths = (error as ValidationError).issues.map((issue) => issue.path);
    expect(paths.sort()).toEqual(['comment', 'key', 'timeoutMs', 'value.x', 'version']);
  });

  it('refuses an unset version instead of writing unconditionally', async () => {
    const version = undefined as unknown as number;
    await expect(t.config.compareAndSet(t.key(), 1, version)).rejects.toThrow(ValidationError);
  });

  it('is rejected when already aborted', async () => {
    const key = t.key();
    await expect(t.config.set(key, 1, { signal: AbortSignal.abort('why') })).rejects.toMatchObject({
      name: 'AbortedError',
      cause: 'why',
      outcome: 'not-applied',
    });
    expect(await t.config.getVersion(key)).toBe(0);
    expect(() => t.config.watch(key, { signal: AbortSignal.abort() })).toThrow(AbortedError);
  });

  it('takes the largest value, also over a large one by others', async () => {
    const key = t.key();
    const large = 'x'.repeat(512 * 1024);
    await t.client.kv.put(rawKey(key), 'y'.repeat(1024 * 1024));
    expect((await t.config.set(key, large)).version).toBe(2);
    expect((await t.config.get(key)).value).toBe(large);
    const [, adopted] = await t.config.getHistory(key);
    expect(adopted).toMatchObject({ operation: 'adopt', value: undefined, unreadable: expect.any(String) });
    await expect(t.config.set(key, `${large}x`)).rejects.toThrow(ValidationError);
  });

  it.each(['constructor', '__proto__', 'prototype'])(
    'refuses metadata that could not be read again: %s',
    async (name) => {
      const key = t.key();
      const metadata = Object.fromEntries([[name, 'x']]);
      await expect(t.config.set(key, 1, { metadata })).rejects.toThrow(`metadata.${name}`);
      expect(await t.config.set(key, 1)).toMatchObject({ version: 1 });
    },
  );

  it.each([null, 5, 'x'])('refuses options that are not an object: %s', async (bad) => {
    const key = t.key();
    const options = bad as unknown as object;
    const { config } = t;
    const calls = [
      config.get(key, options),
      config.getValue(key, 0, options),
      config.set(key, 1, options),
      config.compareAndSet(key, 1, 0, options),
      config.delete(key, options),
      config.getVersion(key, options),
      config.getHistory(key, options),
      config.rollback(key, 1, options),
      config.list(key, options),
    ];
    for (const result of await Promise.allSettled(calls)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { name: 'ValidationError' } });
    }
    expect(() => config.watch(key, options)).toThrow(ValidationError);
    expect(() => config.watchPrefix(key, options)).toThrow(ValidationError);
    expect(() => createConfigCenter(t.client, options)).toThrow(ValidationError);
    expect(await config.getVersion(key)).toBe(0);
  });

  it('refuses a key prefix that is not a string', () => {
    const keyPrefix = 5 as unknown as string;
    expect(() => createConfigCenter(t.client, { keyPrefix })).toThrow(ValidationError);
  });

  it('refuses use after close', async () => {
    const config = t.center(t.client);
    await config.close();
    await config.close();
    await expect(config.get(t.key())).rejects.toThrow(ClosedError);
    expect(() => config.watch(t.key())).toThrow(ClosedError);
  });
});

describe('compare-and-set', () => {
  it('succeeds at the expected version, and conflicts at any other', async () => {
    const key = t.key();
    const { revision } = await t.config.compareAndSet(key, 1, 0);
    expect((await t.config.compareAndSet(key, 2, 1)).version).toBe(2);
    const conflict = { name: 'VersionConflictError', key, expected: 1, actual: 2, external: false };
    await expect(t.config.compareAndSet(key, 3, 1)).rejects.toMatchObject(conflict);
    await expect(t.config.set(key, 3, { version: 0 })).rejects.toMatchObject({ expected: 0, actual: 2 });
    await expect(t.config.set(key, 3, { revision })).rejects.toBeInstanceOf(VersionConflictError);
    await expect(t.config.delete(key, { version: 1 })).rejects.toBeInstanceOf(VersionConflictError);
    await expect(t.config.compareAndSet(t.key(), 3, 4)).rejects.toMatchObject({ expected: 4, actual: 0 });
    expect((await t.config.get(key)).value).toBe(2);
  });

  it('by revision works too, 0n for an absent key', async () => {
    const key = t.key();
    const { revision } = await t.config.set(key, 1, { revision: 0n });
    await expect(t.config.set(key, 2, { revision: 0n })).rejects.toMatchObject({
      expected: 0n,
      actual: revision,
    });
    expect((await t.config.set(key, 2, { revision })).version).toBe(2);
  });

  it('lets exactly one of many win', async () => {
    const key = t.key();
    await t.config.set(key, 0);
    const clients = await Promise.all([t.connect(), t.connect(), t.connect()]);
    const calls = clients.flatMap((client, i) => {
      const config = t.center(client);
      return [0, 1, 2].map((n) => config.compareAndSet(key, `${i}/${n}`, 1));
    });
    const results = await Promise.allSettled(calls);
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(VersionConflictError);
    }
    expect((await t.config.getHistory(key)).map(({ version }) => version)).toEqual([2, 1]);
  });

  it('of a counter loses no update', async () => {
    const key = t.key();
    await t.config.set(key, 0);
    const increment = async () => {
      for (;;) {
        const { value, version } = await t.config.get<number>(key);
        try {
          return await t.config.compareAndSet(key, value + 1, version);
        } catch (error) {
          if (!(error instanceof VersionConflictError)) throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: 8 }, increment));
    expect((await t.config.get(key)).value).toBe(8);
  });

  it('never matches a version from before a delete', async () => {
    const key = t.key();
    await t.config.set(key, 'a');
    expect(await t.config.delete(key)).toBe(true);
    expect(await t.config.delete(key)).toBe(false);
    expect(await t.config.getVersion(key)).toBe(0);
    await expect(t.config.compareAndSet(key, 'x', 1)).rejects.toMatchObject({ expected: 1, actual: 0 });
    expect((await t.config.compareAndSet(key, 'b', 0)).version).toBe(3);
    await expect(t.config.compareAndSet(key, 'x', 1)).rejects.toMatchObject({ expected: 1, actual: 3 });
  });
});

describe('concurrent setters', () => {
  it('get gap-free versions, each with its own value in the history', async () => {
    const key = t.key();
    const clients = await Promise.all(Array.from({ length: 8 }, () => t.connect()));
    const written = await Promise.all(clients.map((client, i) => t.center(client).set(key, i)));
    const byVersion = new Map(written.map(({ version, value }) => [version, value]));
    expect([...byVersion.keys()].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const history = await t.config.getHistory(key);
    expect(new Map(history.map(({ version, value }) => [version, value]))).toEqual(byVersion);
  });
});

describe('history', () => {
  it('is kept with author and comment, newest first, deletions included', async () => {
    const key = t.key();
    await t.config.set(key, 1, { author: 'ana', comment: 'first' });
    await t.config.delete(key, { author: 'bo' });
    await t.config.set(key, { n: 3n ** 50n });
    const history = await t.config.getHistory(key);
    expect(history).toMatchObject([
      { version: 3, operation: 'put', deleted: false, value: { n: 3n ** 50n } },
      { version: 2, operation: 'delete', deleted: true, value: undefined, author: 'bo' },
      { version: 1, operation: 'put', deleted: false, value: 1, author: 'ana', comment: 'first' },
    ]);
    expect(JSON.parse(JSON.stringify(history))).toHaveLength(3);
    expect((await t.config.getHistory(key, { limit: 2 })).map(({ version }) => version)).toEqual([3, 2]);
    expect(await t.config.getHistory(t.key())).toEqual([]);
  });

  it('survives compaction, and rollback with it', async () => {
    const key = t.key();
    for (let n = 1; n <= 20; n++) await t.config.set(key, { n });
    await compact(t.client);
    expect((await t.config.getHistory(key)).map(({ version }) => version)).toEqual(
      Array.from({ length: 20 }, (_, i) => 20 - i),
    );
    expect(await t.config.rollback(key, 1)).toMatchObject({ value: { n: 1 }, version: 21 });
  });

  it('is pruned to its limit, in the same transaction', async () => {
    const key = t.key();
    const config = t.center(t.client, { maxVersionHistory: 3 });
    for (let n = 1; n <= 7; n++) await config.set(key, n);
    expect((await config.getHistory(key)).map(({ version }) => version)).toEqual([7, 6, 5]);
    await t.client.kv.put(rawKey(key), '8');
    await config.set(key, 9);
    expect((await config.getHistory(key)).map(({ version }) => version)).toEqual([9, 8, 7]);
    await expect(config.rollback(key, 1)).rejects.toThrow(NotFoundError);
  });

  it('can be a single version, also when a value by others is adopted', async () => {
    const key = t.key();
    const config = t.center(t.client, { maxVersionHistory: 1 });
    await config.set(key, 1);
    await t.client.kv.put(rawKey(key), '2');
    expect((await config.set(key, 3)).version).toBe(3);
    expect((await config.getHistory(key)).map(({ version }) => version)).toEqual([3]);
    expect(await Promise.all([4, 5, 6].map((n) => config.set(key, n)))).toHaveLength(3);
    expect(await config.getVersion(key)).toBe(6);
  });

  it('of a key is not that of a key below it', async () => {
    const key = t.key();
    await t.config.set(key, 1);
    await t.config.set(`${key}/below`, 2);
    expect(await t.config.getHistory(key)).toHaveLength(1);
  });
});

describe('rollback', () => {
  it('writes an earlier value as a new version, with its type', async () => {
    const key = t.key();
    await t.config.set(key, '123');
    await t.config.set(key, 456);
    const back = await t.config.rollback(key, 1, { comment: 'oops' });
    expect(back).toMatchObject({ value: '123', version: 3 });
    expect((await t.config.get(key)).value).toBe('123');
    expect((await t.config.getHistory(key, { limit: 1 }))[0]).toMatchObject({
      operation: 'rollback',
      from: 1,
      comment: 'oops',
    });
  });

  it('never deletes, and needs a version that is there', async () => {
    const key = t.key();
    await t.config.set(key, 1);
    await t.config.delete(key);
    await t.config.set(key, 3);
    await expect(t.config.rollback(key, 2)).rejects.toThrow(ValidationError);
    await expect(t.config.rollback(key, 9)).rejects.toThrow(NotFoundError);
    await expect(t.config.rollback(key, 1, { version: 2 })).rejects.toThrow(VersionConflictError);
    await expect(t.config.rollback(key, 1, { schema: z.string() })).rejects.toThrow(ValidationError);
    expect(await t.config.get(key)).toMatchObject({ value: 3, version: 3 });
  });

  it('brings back a deleted key', async () => {
    const key = t.key();
    await t.config.set(key, 'precious');
    await t.config.delete(key);
    expect(await t.config.rollback(key, 1, { version: 0 })).toMatchObject({ value: 'precious', version: 3 });
  });
});

describe('values by others', () => {
  it('are external, at the last managed version', async () => {
    const key = t.key();
    const { revision } = await t.client.kv.put(rawKey(key), '{"by":"etcdctl"}');
    expect(await t.config.get(key)).toMatchObject({
      value: { by: 'etcdctl' },
      version: 0,
      revision,
      external: true,
    });
    await t.config.set(key, 'managed');
    const outside = await t.client.kv.put(rawKey(key), 'outside');
    expect(await t.config.get(key)).toMatchObject({
      value: 'outside',
      version: 2,
      revision: outside.revision,
      external: true,
    });
    expect(await t.config.getVersion(key)).toBe(2);
  });

  it('match no version number, and only their own revision', async () => {
    const key = t.key();
    await t.config.set(key, 1);
    const first = await t.client.kv.put(rawKey(key), 'same');
    const second = await t.client.kv.put(rawKey(key), 'same');
    for (const version of [0, 1, 2]) {
      await expect(t.config.compareAndSet(key, 9, version)).rejects.toMatchObject({
        actual: 1,
        external: true,
      });
    }
    await expect(t.config.set(key, 9, { revision: first.revision })).rejects.toBeInstanceOf(
      VersionConflictError,
    );
    expect((await t.config.set(key, 9, { revision: second.revision })).version).toBe(3);
  });

  it('enter the history before the next managed write', async () => {
    const key = t.key();
    await t.config.set(key, 'v1');
    await t.client.kv.put(rawKey(key), '{"v":2}');
    expect((await t.config.set(key, 'v3')).version).toBe(3);
    expect(await t.config.getHistory(key)).toMatchObject([
      { version: 3, operation: 'put', value: 'v3' },
      { version: 2, operation: 'adopt', value: { v: 2 } },
      { version: 1, operation: 'put', value: 'v1' },
    ]);
    expect(await t.config.rollback(key, 2)).toMatchObject({ value: { v: 2 }, version: 4 });
    expect((await t.config.get(key)).value).toEqual({ v: 2 });
  });

  it('are adopted also when the same value is set, and when they are deleted', async () => {
    const key = t.key();
    await t.client.kv.put(rawKey(key), 'x');
    expect(await t.config.set(key, 'x')).toMatchObject({ version: 2, external: false });
    await t.client.kv.put(rawKey(key), 'y');
    expect(await t.config.delete(key)).toBe(true);
    expect((await t.config.getHistory(key)).map(({ version, operation }) => [version, operation])).toEqual([
      [4, 'delete'],
      [3, 'adopt'],
      [2, 'put'],
      [1, 'adopt'],
    ]);
  });

  it('count a removal by others as a version', async () => {
    const key = t.key();
    await t.config.set(key, 1);
    await t.client.kv.delete(rawKey(key));
    await expect(t.config.get(key)).rejects.toThrow(NotFoundError);
    expect(await t.config.getVersion(key)).toBe(0);
    expect((await t.config.compareAndSet(key, 3, 0)).version).toBe(3);
    expect((await t.config.getHistory(key))[1]).toMatchObject({
      version: 2,
      operation: 'adopt',
      deleted: true,
    });
  });

  it('cannot pollute a prototype', async () => {
    const key = t.key();
    await t.client.kv.put(rawKey(key), '{"a":{"__proto__":{"polluted":true}}}');
    await expect(t.config.get(key)).rejects.toThrow(ValidationError);
    await expect(t.config.get(key)).rejects.toThrow(key);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect((await t.config.set(key, 'mended')).version).toBe(2);
  });

  it('with a damaged record can be read, not written', async () => {
    const key = t.key();
    await t.config.set(key, 1);
    await t.client.kv.put(metaKey(key), 'rubbish');
    expect(await t.config.get(key)).toMatchObject({ value: 1, external: true });
    await expect(t.config.set(key, 2)).rejects.toMatchObject({ code: 'COORD_CONFIG_DAMAGED' });
  });
});

describe('schema', () => {
  const schema = z.object({ port: z.coerce.number().int(), host: z.string().default('localhost') });

  it('gives the value its type, its coercions and its defaults', async () => {
    const key = t.key();
    await t.config.set(key, { port: '80' });
    const { value } = await t.config.get(key, { schema });
    const typed: { port: number; host: string } = value;
    expect(typed).toEqual({ port: 80, host: 'localhost' });
    expect((await t.config.getValue(key, undefined, { schema })).port).toBe(80);
  });

  it('refuses with paths, before a write and after a read', async () => {
    const key = t.key();
    const bad = { name: 'ValidationError', issues: [{ path: 'value.port' }] };
    await expect(t.config.set(key, { port: 'x' }, { schema })).rejects.toMatchObject(bad);
    expect(await t.config.getVersion(key)).toBe(0);
    await t.config.set(key, { port: 'x' });
    await expect(t.config.get(key, { schema })).rejects.toMatchObject(bad);
    await expect(t.config.getValue(key, { port: 1, host: '' }, { schema })).rejects.toMatchObject(bad);
    await expect(t.config.get(key, { schema: {} as never })).rejects.toMatchObject({
      issues: [{ path: 'schema' }],
    });
  });
});

describe('list', () => {
  it('pages through the keys below a prefix at one revision', async () => {
    const prefix = t.key('list');
    for (const name of ['a', 'b', 'c/d', 'e']) await t.config.set(`${prefix}/${name}`, 1);
    await t.config.set(`${prefix}2/x`, 1);
    await t.config.set(prefix, 1);
    const first = await t.config.list(prefix, { limit: 3 });
    expect(first).toMatchObject({
      keys: ['a', 'b', 'c/d'].map((name) => `${prefix}/${name}`),
      consistent: true,
    });
    await t.config.set(`${prefix}/f`, 1);
    const second = await t.config.list(`/${prefix}/`, { limit: 3, cursor: first.cursor });
    expect(second).toEqual({ keys: [`${prefix}/e`], consistent: true });
  });

  it('goes on without the revision when it has been compacted, and says so', async () => {
    const prefix = t.key('list');
    for (const name of ['a', 'b', 'c', 'd']) await t.config.set(`${prefix}/${name}`, 1);
    const first = await t.config.list(prefix, { limit: 1 });
    await compact(t.client);
    const second = await t.config.list(prefix, { limit: 1, cursor: first.cursor });
    expect(second).toMatchObject({ keys: [`${prefix}/b`], consistent: false });
    const third = await t.config.list(prefix, { limit: 10, cursor: second.cursor });
    expect(third).toEqual({ keys: [`${prefix}/c`, `${prefix}/d`], consistent: false });
  });

  it('refuses a cursor that is not one, or not of this prefix', async () => {
    const prefix = t.key('list');
    await t.config.set(`${prefix}/a`, 1);
    await t.config.set(`${prefix}/b`, 1);
    const { cursor } = await t.config.list(prefix, { limit: 1 });
    await expect(t.config.list(prefix, { cursor: 'rubbish' })).rejects.toThrow(ValidationError);
    await expect(t.config.list('other', { cursor })).rejects.toThrow(ValidationError);
    await expect(t.config.list(prefix, { limit: 0 })).rejects.toThrow(ValidationError);
  });
});

describe('cached reads', () => {
  it('see this client’s own writes, and those of others soon', async () => {
    const key = t.key();
    await t.config.set(key, 1);
    const cached = () => t.config.get<number>(key, { consistency: 'cached' });
    expect(await cached()).toMatchObject({ value: 1, version: 1, external: false });
    for (let n = 2; n <= 20; n++) {
      await t.config.set(key, n);
      expect(await cached()).toMatchObject({ value: n, version: n });
    }
    const others = t.center(await t.connect());
    await others.delete(key);
    await expect.poll(() => t.config.getValue(key, 'gone', { consistency: 'cached' })).toBe('gone');
  });

  it('hand out copies', async () => {
    const key = t.key();
    await t.config.set(key, { list: [1] });
    const first = await t.config.getValue<{ list: number[] }>(key, undefined, { consistency: 'cached' });
    first.list.push(2);
    expect(await t.config.getValue(key, undefined, { consistency: 'cached' })).toEqual({ list: [1] });
  });
});

describe('without versioning', () => {
  it('writes the raw value and nothing else', async () => {
    const config = t.center(t.client, { enableVersioning: false });
    const key = t.key();
    const { version, revision } = await config.set(key, { a: 1 });
    expect(version).toBe(0);
    expect(await t.client.kv.get(metaKey(key))).toBeUndefined();
    expect(await config.get(key)).toMatchObject({ value: { a: 1 }, version: 0, revision, external: false });
    expect((await config.set(key, { a: 1 })).revision).toBe(revision);
    expect((await config.set(key, { a: 2 }, { revision })).revision).toBeGreaterThan(revision);
    await expect(config.set(key, 3, { revision })).rejects.toThrow(VersionConflictError);
    expect(await config.getVersion(key)).toBe(0);
    for (const call of [config.compareAndSet(key, 1, 0), config.getHistory(key), config.rollback(key, 1)]) {
      await expect(call).rejects.toThrow(ValidationError);
    }
    expect(await config.delete(key)).toBe(true);
  });
});
