import { ValidationError } from '@coord/client';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { losingTheResponse, taker, useEtcd } from './setup.js';

const t = useEtcd();
const bad = { name: 'ValidationError', issues: [{ path: 'value.port' }] };

describe.each([
  ['zod', z.object({ port: z.coerce.number().int(), host: z.string().default('localhost') })],
  [
    'valibot',
    v.object({
      port: v.pipe(v.unknown(), v.transform(Number), v.number(), v.integer()),
      host: v.optional(v.string(), 'localhost'),
    }),
  ],
])('a schema of %s', (_name, schema) => {
  it('gives the value its type, its coercions and its defaults', async () => {
    const key = t.key();
    await t.config.set(key, { port: '80' });
    const { value } = await t.config.get(key, { schema });
    const typed: { port: number; host: string } = value;
    expect(typed).toEqual({ port: 80, host: 'localhost' });
    expect((await t.config.getValue(key, undefined, { schema })).port).toBe(80);
    expect((await t.config.get(key, { schema, consistency: 'cached' })).value).toEqual(typed);
  });

  it('refuses with paths, before a write and after a read', async () => {
    const key = t.key();
    await expect(t.config.set(key, { port: 'x' }, { schema })).rejects.toMatchObject(bad);
    await expect(t.config.compareAndSet(key, { port: 'x' }, 0, { schema })).rejects.toMatchObject(bad);
    const release = t.config.publish([{ key, value: { port: 'x' }, schema }]);
    await expect(release).rejects.toMatchObject({ issues: [{ path: 'changes[0].value.port' }] });
    expect(await t.config.getVersion(key)).toBe(0);
    await t.config.set(key, { port: 'x' });
    await expect(t.config.get(key, { schema })).rejects.toMatchObject(bad);
    await expect(t.config.getValue(key, { port: 1, host: '' }, { schema })).rejects.toMatchObject(bad);
    await t.config.set(key, { port: 1 });
    await expect(t.config.rollback(key, 1, { schema })).rejects.toMatchObject(bad);
    await using watch = t.config.watch(key, { schema, initial: true });
    const take = taker(watch);
    expect(await take(1)).toMatchObject([{ value: { port: 1, host: 'localhost' } }]);
    await t.config.set(key, { port: 'x' });
    expect((await take(1))[0]?.error).toMatchObject(bad);
  });
});

it('what is no schema is refused', async () => {
  const call = t.config.get(t.key(), { schema: {} as never });
  await expect(call).rejects.toMatchObject({ issues: [{ path: 'schema' }] });
});

describe('a schema beside the key', () => {
  const PORT = { type: 'object', properties: { port: { type: 'integer', minimum: 1 } }, required: ['port'] };

  it('is for every writer and every kind of write', async () => {
    const key = t.key();
    await t.config.set(key, { port: 'old' });
    await t.config.setSchema(key, PORT);
    expect(await t.config.getSchema(key)).toEqual(PORT);
    const others = t.center(await t.connect());
    const wrong = { port: 0 };
    await expect(others.set(key, wrong)).rejects.toMatchObject(bad);
    await expect(others.set(key, wrong)).rejects.toThrow(key);
    await expect(others.compareAndSet(key, wrong, 1)).rejects.toMatchObject(bad);
    await expect(
      others.publish([
        { key: t.key(), value: 1 },
        { key, value: {} },
      ]),
    ).rejects.toThrow(ValidationError);
    await expect(others.set(key, Uint8Array.of(1))).rejects.toThrow(/bytes/);
    await others.set(key, { port: 1 });
    await expect(others.rollback(key, 1)).rejects.toMatchObject(bad);
    const release = await others.publish([{ key, value: { port: 2n ** 60n } }]);
    expect(await others.get(key)).toMatchObject({ value: { port: 2n ** 60n }, version: 3 });
    await others.setSchema(key, { type: 'object', properties: { port: { const: 7 } } });
    await expect(others.revert(release?.id ?? '')).rejects.toMatchObject(bad);
    await t.client.kv.put(`/config/${key}`, '{"port":8}');
    await expect(others.adopt(key)).rejects.toMatchObject(bad);
    expect(await others.delete(key)).toBe(true);
    expect(await others.deleteSchema(key)).toBe(true);
    expect(await others.deleteSchema(key)).toBe(false);
    expect(await others.getSchema(key)).toBeUndefined();
    expect((await others.set(key, wrong)).value).toEqual(wrong);
  });

  it('comes from a schema of the program, and names what is wrong', async () => {
    const key = t.key();
    await t.config.setSchema(key, z.strictObject({ port: z.number(), tags: z.array(z.string()).optional() }));
    const error = await t.config.set(key, { port: 'x', tags: ['a', 5], more: 1 }).catch((reason) => reason);
    expect(error).toBeInstanceOf(ValidationError);
    const paths = (error as ValidationError).issues.map(({ path }) => path);
    expect(paths.sort()).toEqual(['value', 'value.port', 'value.tags[1]']);
    expect(String(error)).toContain('"more"');
    await expect(t.config.setSchema(key, v.object({}))).rejects.toThrow(/JSON Schema/);
  });

  it('is refused when it is none', async () => {
    const key = t.key();
    for (const schema of [
      { type: 'nonsense' },
      { $ref: 'https://example.com/elsewhere' },
      { pattern: '[' },
      { $async: true },
      { description: 'x'.repeat(65 * 1024) },
      'x',
      null,
      [],
    ]) {
      await expect(t.config.setSchema(key, schema as never)).rejects.toMatchObject({
        issues: [{ path: 'schema' }],
      });
    }
    expect(await t.config.getSchema(key)).toBeUndefined();
    await t.client.kv.put(`/coord/config/schema/${key}`, 'rubbish');
    await expect(t.config.set(key, 1)).rejects.toThrow(/schema: stored beside the key is no JSON Schema/);
  });

  it('is heeded by a write that is under way while it changes', async () => {
    const key = t.key();
    await t.config.set(key, { port: 1 });
    const proxy = await t.proxy();
    const config = t.center(await t.connect({ endpoints: [proxy.endpoint] }));
    await config.get(key);
    proxy.blackhole('toClient'); // the state is being read, and the answer on its way
    const call = config.set(key, { port: -1 });
    call.catch(() => undefined);
    await t.config.getHistory(key);
    await t.config.setSchema(key, PORT);
    proxy.heal();
    await expect(call).rejects.toMatchObject(bad);
    expect((await t.config.get(key)).value).toEqual({ port: 1 });
  });

  it('holds without versions too, and not where validation is off', async () => {
    const key = t.key();
    await t.config.setSchema(key, PORT);
    const raw = t.center(t.client, { enableVersioning: false });
    await expect(raw.set(key, { port: 0 })).rejects.toMatchObject(bad);
    await raw.set(key, { port: 1 });
    const unchecked = t.center(t.client, { enableValidation: false });
    expect((await unchecked.set(key, { port: 0 })).value).toEqual({ port: 0 });
    expect(() => t.center(t.client, { enableValidation: 1 as never })).toThrow(ValidationError);
  });

  it('does not keep a lost response from being resolved', async () => {
    const key = t.key();
    await t.config.setSchema(key, PORT);
    const proxy = await t.proxy();
    const config = t.center(await t.connect({ endpoints: [proxy.endpoint], requestTimeoutMs: 10_000 }));
    const written = await losingTheResponse(
      proxy,
      () => config.set(key, { port: 1 }),
      async () => (await t.config.getVersion(key)) === 1,
    );
    expect(written).toMatchObject({ version: 1 });
  });
});
