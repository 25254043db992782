import { AbortedError, ClosedError, ValidationError } from '@coord/client';
import { describe, expect, it } from 'vitest';
import { createConfigCenter } from '../src/index.js';
import { useEtcd } from './setup.js';

const t = useEtcd();
const rawKey = (key: string) => `/config/${key}`;

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

  it('warns of a value from 256 KiB on, and not of a smaller one', async () => {
    const warnings: unknown[][] = [];
    const silent = () => undefined;
    const warn = (...args: unknown[]) => void warnings.push(args);
    const client = await t.connect({ logger: { error: silent, warn, info: silent, debug: silent } });
    const config = t.center(client);
    const key = t.key();
    await config.set(key, 'x'.repeat(256 * 1024 - 1));
    const large = () => JSON.stringify(warnings).match(/large config value/g) ?? [];
    expect(large()).toEqual([]);
    await config.set(key, 'x'.repeat(256 * 1024));
    await config.publish([{ key: `${key}/other`, value: 'x'.repeat(256 * 1024) }]);
    expect(large()).toHaveLength(2);
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

  it('refuses names of options that do not exist', async () => {
    const key = t.key();
    const options = { versions: 1 } as object;
    const { config } = t;
    const calls = [
      config.get(key, options),
      config.set(key, 1, options),
      config.compareAndSet(key, 1, 0, options),
      config.delete(key, options),
      config.rollback(key, 1, options),
      config.publish([{ key, value: 1, ...options }]),
      config.publish([{ key, value: 1 }], options),
    ];
    for (const result of await Promise.allSettled(calls)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { name: 'ValidationError' } });
    }
    expect(() => config.watch(key, options)).toThrow('versions: is no option');
    expect(await config.getVersion(key)).toBe(0);
  });

  it('refuses a flag that is none', async () => {
    const force = 'no' as unknown as boolean;
    await expect(t.config.set(t.key(), 1, { force })).rejects.toThrow('force: must be true or false');
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
