import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { ValidationError } from '@coord/client';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { EncryptionConfig } from '../src/index.js';
import { losingTheResponse, taker, useEtcd } from './setup.js';

const t = useEtcd();
const rawKey = (key: string) => `/config/${key}`;
const SECRET = 'canary-secret';

describe('YAML', () => {
  const text = '# ports of the web\nport: 80\nid: 9223372036854775807\n';

  it('is stored with its comments, read as what it says, and kept by rollback, release and revert', async () => {
    const key = t.key();
    const schema = z.object({ port: z.number() });
    const said = { port: 80, id: 9223372036854775807n };
    expect(await t.config.set(key, text, { format: 'yaml', schema })).toMatchObject({
      value: said,
      version: 1,
    });
    expect((await t.client.kv.get(rawKey(key)))?.text()).toBe(text);
    expect(await t.config.get(key)).toMatchObject({ value: said });
    expect((await t.config.set(key, text, { format: 'yaml' })).version).toBe(1);
    const release = await t.config.publish([{ key, value: { port: 81 }, format: 'yaml', schema }]);
    expect((await t.client.kv.get(rawKey(key)))?.text()).toBe('port: 81\n');
    expect(await t.config.diff(key, 1, 2)).toMatchObject({
      kind: 'json',
      changes: [{ path: ['port'] }, { path: ['id'] }],
    });
    await t.config.revert(release?.id ?? '');
    expect((await t.client.kv.get(rawKey(key)))?.text()).toBe(text);
    await using watch = t.config.watch(key, { schema, initial: true });
    expect(await taker(watch)(1)).toMatchObject([{ value: { port: 80 } }]);
    await t.config.setSchema(key, { properties: { port: { maximum: 100 } } });
    await expect(t.config.set(key, 'port: 101', { format: 'yaml' })).rejects.toThrow('value.port');
  });

  it('is refused before sending when it cannot be read, or does not fit', async () => {
    const key = t.key();
    for (const bad of [
      'a: [',
      '__proto__: 1',
      'a: 1\na: 2',
      '\ud800',
      { a: undefined },
      `a: ${'x'.repeat(512 * 1024)}`,
    ]) {
      await expect(t.config.set(key, bad, { format: 'yaml' })).rejects.toThrow(ValidationError);
    }
    const schema = z.object({ port: z.number() });
    await expect(t.config.set(key, 'port: x', { format: 'yaml', schema })).rejects.toThrow('value.port');
    await expect(t.config.set(key, 1, { format: 'toml' as never })).rejects.toMatchObject({
      issues: [{ path: 'format' }],
    });
    expect(await t.config.getVersion(key)).toBe(0);
  });
});

describe('encryption', () => {
  const keys = { old: randomBytes(32), new: randomBytes(32) };
  const center = (encryption?: EncryptionConfig) => t.center(t.client, { encryption });
  const withOld = () => center({ keys: { old: keys.old }, current: 'old' });
  const withBoth = () => center({ keys, current: 'new' });

  it('keeps values of every type from whoever has no key, in the history too', async () => {
    const config = withOld();
    for (const value of [SECRET, { a: SECRET, n: 2n ** 60n }, Buffer.from(SECRET), '123', '']) {
      const key = t.key();
      expect((await config.set(key, value, { encrypt: true })).value).toEqual(value);
      const read = await config.get(key);
      expect(Buffer.isBuffer(value) ? Buffer.from(read.value as Uint8Array) : read.value).toEqual(value);
      await expect(t.config.get(key)).rejects.toThrow(
        /encrypted with the key "old", which this centre does not have/,
      );
      await expect(t.config.get(key)).rejects.toThrow(ValidationError);
      const stored = await t.client.kv.range({ prefix: '' });
      const own = stored.kvs.filter((kv) => kv.key.includes(key));
      expect(own).toHaveLength(3);
      expect(own.some((kv) => kv.text().includes(SECRET))).toBe(false);
    }
  });

  it('stays with the key until it is told off: no write without the means turns a secret into plain text', async () => {
    const key = t.key();
    const config = withOld();
    await config.set(key, SECRET, { encrypt: true });
    expect((await config.set(key, SECRET)).version).toBe(1);
    await config.set(key, `${SECRET}2`);
    await config.publish([{ key, value: `${SECRET}3` }]);
    await config.rollback(key, 1);
    expect((await t.client.kv.get(rawKey(key)))?.text()).not.toContain(SECRET);
    for (const call of [
      () => t.config.set(key, 'plain'),
      () => t.config.publish([{ key, value: 'plain' }]),
      () => t.config.set(key, 'plain', { encrypt: true }),
      () => t.config.rollback(key, 1),
    ]) {
      await expect(call()).rejects.toThrow(ValidationError);
    }
    expect((await t.config.getHistory(key))[0]).toMatchObject({
      version: 4,
      unreadable: expect.stringContaining('old'),
    });
    // Written over by others, and still a secret.
    await t.client.kv.put(rawKey(key), 'by others');
    await expect(t.config.set(key, 'plain')).rejects.toThrow(ValidationError);
    await config.set(key, SECRET);
    expect((await t.client.kv.get(rawKey(key)))?.text()).not.toContain(SECRET);
    await t.client.kv.delete(rawKey(key));
    await expect(t.config.set(key, 'plain')).rejects.toThrow(ValidationError);
    await config.set(key, SECRET);
    expect((await t.client.kv.get(rawKey(key)))?.text()).not.toContain(SECRET);
    expect((await t.config.set(key, 'public', { encrypt: false })).value).toBe('public');
    expect((await t.config.get(key)).value).toBe('public');
    // What was a secret comes back as one.
    await config.rollback(key, 1);
    expect((await t.client.kv.get(rawKey(key)))?.text()).not.toContain(SECRET);
  });

  it('goes over to a new key by writing again, and reads with the old one as long as it is given', async () => {
    const key = t.key();
    await withOld().set(key, SECRET, { encrypt: true });
    const config = withBoth();
    expect(await config.get(key)).toMatchObject({ value: SECRET, version: 1 });
    expect(await config.set(key, SECRET)).toMatchObject({ version: 2 });
    expect((await t.client.kv.get(rawKey(key)))?.text()).toMatch(/^coord:sealed:1:new:/);
    expect((await config.set(key, SECRET)).version).toBe(2);
    const onlyNew = center({ keys: { new: keys.new }, current: 'new' });
    expect((await onlyNew.get(key)).value).toBe(SECRET);
    expect(await onlyNew.getHistory(key)).toMatchObject([
      { value: SECRET },
      { unreadable: expect.any(String) },
    ]);
    await expect(withOld().get(key)).rejects.toThrow(/"new"/);
  });

  it('is not written over by who has only other keys, unless he says so', async () => {
    const key = t.key();
    await withBoth().set(key, SECRET, { encrypt: true });
    const others = withOld();
    for (const write of [
      () => others.set(key, 'blind'),
      () => others.set(key, 'blind', { version: 1 }),
      () => others.publish([{ key, value: 'blind' }]),
    ]) {
      await expect(write()).rejects.toThrow(/encrypted with the key "new", which this centre does not have/);
    }
    expect(await withBoth().get(key)).toMatchObject({ value: SECRET, version: 1 });
    // When the key is lost for good.
    expect(await others.set(key, 'again', { encrypt: true })).toMatchObject({ version: 2 });
    expect(await others.get(key)).toMatchObject({ value: 'again' });
    expect((await t.client.kv.get(rawKey(key)))?.text()).toMatch(/^coord:sealed:1:old:/);
  });

  it('is what others wrote over it, too, when that goes into the history', async () => {
    const key = t.key();
    const config = withOld();
    await config.set(key, SECRET, { encrypt: true });
    for (const write of [
      () => config.set(key, { a: SECRET }),
      () => config.publish([{ key, value: `${SECRET}!` }]),
    ]) {
      await t.client.kv.put(rawKey(key), `{"others":"${SECRET}"}`);
      await write();
      const { kvs } = await t.client.kv.range({ prefix: '' });
      expect(kvs.filter((kv) => kv.key.includes(key) && kv.text().includes(SECRET))).toEqual([]);
    }
    const history = await config.getHistory(key);
    expect(history.map(({ operation, value }) => [operation, value])).toEqual([
      ['put', `${SECRET}!`],
      ['adopt', { others: SECRET }],
      ['put', { a: SECRET }],
      ['adopt', { others: SECRET }],
      ['put', SECRET],
    ]);
    expect(await config.rollback(key, 2)).toMatchObject({ value: { others: SECRET } });
    expect((await t.client.kv.get(rawKey(key)))?.text()).toMatch(/^coord:sealed:1:old:/);
  });

  it('refuses what was changed, or copied from another key, by whomever', async () => {
    const [key, other] = [t.key(), t.key('other')];
    const config = withOld();
    await config.set(key, SECRET, { encrypt: true });
    const sealed = (await t.client.kv.get(rawKey(key)))?.text() ?? '';
    const at = sealed.length - 30;
    const flipped = `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'B' : 'A'}${sealed.slice(at + 1)}`;
    for (const [name, text] of [
      [key, flipped],
      [key, 'coord:sealed:1:old:AAAA'],
      [key, 'coord:sealed:1:'],
      [other, sealed],
    ] as const) {
      await t.client.kv.put(rawKey(name), text);
      await expect(config.get(name)).rejects.toThrow(ValidationError);
      await expect(config.adopt(name)).rejects.toThrow(ValidationError);
    }
    await t.client.kv.put(rawKey(key), sealed);
    expect(await config.get(key)).toMatchObject({ value: SECRET, external: true });
    expect(await config.adopt(key)).toMatchObject({ value: SECRET });
  });

  it('is restored by an adoption of what others wrote in plain text', async () => {
    const key = t.key();
    const config = withOld();
    await config.set(key, SECRET, { encrypt: true });
    await t.client.kv.put(rawKey(key), `{"new":"${SECRET}"}`);
    await expect(t.config.adopt(key)).rejects.toThrow(ValidationError);
    expect(await config.adopt(key)).toMatchObject({ value: { new: SECRET }, version: 2, external: false });
    expect((await t.client.kv.get(rawKey(key)))?.text()).not.toContain(SECRET);
    expect(await config.get(key)).toMatchObject({ value: { new: SECRET }, version: 2 });
    await config.set(key, SECRET);
    expect((await t.client.kv.get(rawKey(key)))?.text()).not.toContain(SECRET);
  });

  it('is seen by watches, cached reads, diffs and schemas as what it says', async () => {
    const key = t.key();
    const config = withOld();
    await using watch = config.watch(key);
    await using blind = t.config.watch(key);
    await Promise.all([watch.ready, blind.ready]);
    await config.setSchema(key, { properties: { a: { type: 'string' } } });
    await config.set(key, { a: SECRET }, { encrypt: true });
    await expect(config.set(key, { a: 1 })).rejects.toThrow('value.a');
    await config.set(key, { a: 'new' });
    expect((await taker(watch)(2)).map(({ value }) => value)).toEqual([{ a: SECRET }, { a: 'new' }]);
    const [unreadable] = await taker(blind)(1);
    expect(unreadable?.error).toBeInstanceOf(ValidationError);
    expect(await config.getValue(key, 0, { consistency: 'cached' })).toEqual({ a: 'new' });
    expect(await config.diff(key, 1, 2)).toMatchObject({ changes: [{ before: SECRET, after: 'new' }] });
  });

  it('is known again after a lost response, and works without versions', async () => {
    const key = t.key();
    const proxy = await t.proxy();
    const encryption = { keys, current: 'new' };
    const client = await t.connect({ endpoints: [proxy.endpoint], requestTimeoutMs: 10_000 });
    const written = await losingTheResponse(
      proxy,
      () => t.center(client, { encryption }).set(key, SECRET, { encrypt: true }),
      async () => (await t.client.kv.get(rawKey(key))) !== undefined,
    );
    expect(written).toMatchObject({ value: SECRET, version: 1 });
    const raw = t.center(t.client, { encryption, enableVersioning: false });
    const plain = t.key('raw');
    await raw.set(plain, { a: SECRET }, { encrypt: true });
    expect((await raw.get(plain)).value).toEqual({ a: SECRET });
    await raw.set(plain, { a: 'next' });
    expect((await t.client.kv.get(rawKey(plain)))?.text()).toMatch(/^coord:sealed/);
  });

  it('carries the largest value, and shows neither keys nor secrets', async () => {
    const key = t.key();
    const told: unknown[][] = [];
    const tell = (...args: unknown[]) => told.push(args);
    const logger = { error: tell, warn: tell, info: tell, debug: tell };
    const client = await t.connect({ logger, logLevel: 'debug' });
    const material = Buffer.from('canary-key-material-of-32-bytes!');
    const config = t.center(client, { encryption: { keys: { k: material }, current: 'k' } });
    const large = 'x'.repeat(512 * 1024);
    expect((await config.set(key, large, { encrypt: true })).value).toBe(large);
    expect((await config.set(key, { a: SECRET })).version).toBe(2);
    const failures = [
      await config.set(key, { a: SECRET, b: undefined }).catch(String),
      await t.config.get(key).catch(String),
    ];
    const shown = inspect([told, failures, config], { depth: 12, showHidden: true });
    for (const secret of [
      SECRET,
      'canary-key',
      material.toString('base64'),
      material.toString('hex').slice(0, 20),
    ]) {
      expect(shown).not.toContain(secret);
    }
  });

  it.each([
    [{}, 'encryption'],
    [{ keys: {}, current: 'a' }, 'encryption.current'],
    [{ keys: { a: Buffer.alloc(16) }, current: 'a' }, 'encryption.keys.a'],
    [{ keys: { a: 'canary-key-material-of-32-bytes!' }, current: 'a' }, 'encryption.keys.a'],
    [{ keys: { 'a:b': Buffer.alloc(32) }, current: 'a:b' }, 'encryption.keys.a:b'],
    [{ keys: { a: Buffer.alloc(32) }, current: 'toString' }, 'encryption.current'],
  ])('refuses bad keys without showing them: %#', (encryption, path) => {
    expect(() => t.center(t.client, { encryption: encryption as never })).toThrow(path);
    expect(() => t.center(t.client, { encryption: encryption as never })).not.toThrow(/canary/);
  });
});
