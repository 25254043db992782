import { NotFoundError, ValidationError } from '@coord/client';
import { describe, expect, it } from 'vitest';
import { VersionConflictError } from '../src/index.js';
import { taker, useEtcd } from './setup.js';

const t = useEtcd();
const rawKey = (key: string) => `/config/${key}`;
const metaKey = (key: string) => `/coord/config/meta/${key}`;

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

describe('adopt', () => {
  it('makes a version of what others wrote, byte for byte, once', async () => {
    const key = t.key();
    await t.config.set(key, 'v1');
    const outside = await t.client.kv.put(rawKey(key), '{ "b": 12345678901234567890 }');
    const adopted = await t.config.adopt(key, {
      author: 'ana',
      comment: 'was an emergency',
      metadata: { a: 'b' },
    });
    expect(adopted).toMatchObject({ value: { b: 12345678901234567890n }, version: 2, external: false });
    expect(adopted.revision).toBeGreaterThan(outside.revision);
    expect((await t.client.kv.get(rawKey(key)))?.text()).toBe('{ "b": 12345678901234567890 }');
    expect(await t.config.get(key)).toEqual(adopted);
    expect(await t.config.adopt(key)).toEqual(adopted);
    expect((await t.config.compareAndSet(key, 'v3', 2)).version).toBe(3);
    expect(await t.config.getHistory(key)).toMatchObject([
      { version: 3, operation: 'put' },
      { version: 2, operation: 'adopt', author: 'ana', comment: 'was an emergency' },
      { version: 1, operation: 'put' },
    ]);
    expect(await t.config.rollback(key, 2)).toMatchObject({
      value: { b: 12345678901234567890n },
      version: 4,
    });
  });

  it('of a key never written here begins at version 1; a watch tells of it', async () => {
    const key = t.key();
    await t.client.kv.put(rawKey(key), 'text');
    await using watch = t.config.watch(key);
    await watch.ready;
    expect(await t.config.adopt(key)).toMatchObject({ value: 'text', version: 1 });
    const [change] = await taker(watch)(1);
    expect(change).toMatchObject({ type: 'update', value: 'text', version: 1, external: false });
  });

  it('is for what is there, as it was seen, and can be read', async () => {
    const key = t.key();
    await expect(t.config.adopt(key)).rejects.toThrow(NotFoundError);
    await t.config.set(key, 1);
    await t.client.kv.delete(rawKey(key));
    await expect(t.config.adopt(key)).rejects.toThrow(NotFoundError);
    const seen = await t.client.kv.put(rawKey(key), '2');
    await t.client.kv.put(rawKey(key), '3');
    await expect(t.config.adopt(key, { revision: seen.revision })).rejects.toThrow(VersionConflictError);
    await t.client.kv.put(rawKey(key), '{"__proto__":{}}');
    await expect(t.config.adopt(key)).rejects.toThrow(ValidationError);
    await t.client.kv.put(rawKey(key), 'x'.repeat(512 * 1024 + 1));
    await expect(t.config.adopt(key)).rejects.toThrow(/at most 524288 bytes/);
    expect(await t.config.getVersion(key)).toBe(1);
    const unversioned = t.center(t.client, { enableVersioning: false });
    await expect(unversioned.adopt(key)).rejects.toThrow(/enableVersioning/);
  });

  it('by many at once happens once', async () => {
    const key = t.key();
    await t.client.kv.put(rawKey(key), 'x');
    const others = t.center(await t.connect());
    const all = await Promise.all([t.config, others, t.config, others].map((config) => config.adopt(key)));
    expect(all.map(({ version }) => version)).toEqual([1, 1, 1, 1]);
    expect(await t.config.getHistory(key)).toHaveLength(1);
  });
});
