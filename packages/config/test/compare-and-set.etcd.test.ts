import { describe, expect, it } from 'vitest';
import { VersionConflictError } from '../src/index.js';
import { useEtcd } from './setup.js';

const t = useEtcd();

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
