import { NotFoundError, ValidationError } from '@coord/client';
import { describe, expect, it } from 'vitest';
import { VersionConflictError } from '../src/index.js';
import { useEtcd } from './setup.js';

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
