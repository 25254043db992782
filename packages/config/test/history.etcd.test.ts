import { NotFoundError, ValidationError } from '@coord/client';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { VersionConflictError } from '../src/index.js';
import { compact, useEtcd } from './setup.js';

const t = useEtcd();
const rawKey = (key: string) => `/config/${key}`;

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

describe('diff', () => {
  it('tells JSON member by member, text line by line, everything else as a whole', async () => {
    const key = t.key();
    await t.config.set(key, { port: 1, hosts: ['a', 'b'], old: true });
    await t.config.set(key, { port: 2n ** 60n, hosts: ['a', 'x', 'b'] });
    await t.config.set(key, 'one\ntwo\n');
    await t.config.set(key, 'one\n2\n');
    expect(await t.config.diff(key, 1, 2)).toEqual({
      kind: 'json',
      key,
      from: 1,
      to: 2,
      equal: false,
      changes: [
        { type: 'replaced', path: ['port'], before: 1, after: 2n ** 60n },
        { type: 'added', path: ['hosts', 1], after: 'x' },
        { type: 'removed', path: ['old'], before: true },
      ],
    });
    expect(await t.config.diff(key, 3, 4)).toMatchObject({
      kind: 'text',
      runs: [
        { type: 'same', text: 'one\n' },
        { type: 'removed', text: 'two\n' },
        { type: 'added', text: '2\n' },
      ],
    });
    expect(await t.config.diff(key, 2, 3)).toMatchObject({
      kind: 'whole',
      equal: false,
      after: 'one\ntwo\n',
    });
    expect(await t.config.diff(key, 4, 4)).toMatchObject({ kind: 'text', equal: true });
  });

  it('takes a deletion and version 0 for an absent key, and no number for what is there now', async () => {
    const key = t.key();
    await t.config.set(key, 1);
    await t.config.delete(key);
    expect(await t.config.diff(key, 0, 1)).toEqual({
      kind: 'whole',
      key,
      from: 0,
      to: 1,
      equal: false,
      after: 1,
    });
    expect(await t.config.diff(key, 1, 2)).toEqual({
      kind: 'whole',
      key,
      from: 1,
      to: 2,
      equal: false,
      before: 1,
    });
    expect(await t.config.diff(key, 2)).toMatchObject({ from: 2, to: 2, equal: true });
    await t.client.kv.put(`/config/${key}`, '1');
    expect(await t.config.diff(key, 1)).toMatchObject({ from: 1, to: 2, equal: true, after: 1 });
  });

  it('survives compaction, and says what is not there', async () => {
    const key = t.key();
    await t.config.set(key, [1]);
    await t.config.set(key, [2]);
    await compact(t.client);
    expect(await t.config.diff(key, 1, 2)).toMatchObject({ changes: [{ path: [0], before: 1, after: 2 }] });
    await expect(t.config.diff(key, 1, 9)).rejects.toThrow(NotFoundError);
    for (const [from, to] of [
      [-1, 1],
      [1, 1.5],
      ['1', 2],
      [undefined, 2],
    ] as [number, number][]) {
      await expect(t.config.diff(key, from, to)).rejects.toThrow(ValidationError);
    }
    const unversioned = t.center(t.client, { enableVersioning: false });
    await expect(unversioned.diff(key, 1, 2)).rejects.toThrow(/enableVersioning/);
  });
});
