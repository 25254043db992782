import { expect, it } from 'vitest';
import type { CacheChange, CacheUpdate } from './cache.js';
import { ChangeStream } from './change-stream.js';
import { EtcdKeyValue } from './key-value.js';

function change(key: string, value: number | undefined, previous?: number): CacheChange<number> {
  const numbers = { version: 1n, create_revision: 1n, mod_revision: 1n, lease: 0n };
  const kv = new EtcdKeyValue({ key: Buffer.from(key), value: Buffer.from(String(value)), ...numbers });
  return {
    type: value === undefined ? 'delete' : 'put',
    key,
    kv,
    ...(value === undefined ? {} : { value }),
    ...(previous === undefined ? {} : { previous }),
  };
}

async function take(stream: ChangeStream<number>, count: number): Promise<CacheUpdate<number>[]> {
  const iterator = stream[Symbol.asyncIterator]();
  const updates: CacheUpdate<number>[] = [];
  while (updates.length < count) updates.push((await iterator.next()).value);
  return updates;
}

const brief = ({ revision, resync, changes }: CacheUpdate<number>) => [
  revision,
  resync,
  ...changes.map(({ type, key, value, previous }) => [type, key, value, previous]),
];

it('a slow reader gets the oldest one by one, then one change a key that leads to the newest state', async () => {
  const stream = new ChangeStream<number>(() => undefined);
  const state = new Map([['old', 7]]);
  let revision = 0n;
  const push = (...changes: CacheChange<number>[]) => {
    stream.push({ revision: ++revision, resync: false, changes });
    for (const { key, value } of changes) {
      if (value === undefined) state.delete(key);
      else state.set(key, value);
    }
  };
  for (let n = 1; n <= 1_024; n++) push(change('a', n, n === 1 ? undefined : n - 1));
  for (let n = 1_025; n <= 100_000; n++) push(change('a', n, n - 1));
  push(change('old', undefined, 7));
  push(change('passing', 1));
  push(change('passing', undefined, 1));
  push(change('back', 1), change('a', undefined, 100_000));
  push(change('back', undefined, 1), change('old', 8));
  push(change('back', 2));

  const updates = await take(stream, 1_025);
  expect(updates.slice(0, 2).map(brief)).toEqual([
    [1n, false, ['put', 'a', 1, undefined]],
    [2n, false, ['put', 'a', 2, 1]],
  ]);
  const last = updates.at(-1);
  expect(last && brief(last)).toEqual([
    revision,
    true,
    ['delete', 'a', undefined, 1_024],
    ['put', 'old', 8, 7],
    ['put', 'back', 2, undefined],
  ]);
  const seen = new Map([['old', 7]]);
  for (const { changes } of updates) {
    for (const { key, value } of changes) {
      if (value === undefined) seen.delete(key);
      else seen.set(key, value);
    }
  }
  expect(seen).toEqual(state);

  push(change('a', 1)); // caught up: one by one again
  push(change('a', 2, 1));
  expect((await take(stream, 2)).map(brief)).toEqual([
    [revision - 1n, false, ['put', 'a', 1, undefined]],
    [revision, false, ['put', 'a', 2, 1]],
  ]);
});

it('one large revision is delivered as it was', async () => {
  const stream = new ChangeStream<number>(() => undefined);
  const changes = Array.from({ length: 5_000 }, (_, i) => change(`k${i}`, i));
  stream.push({ revision: 1n, resync: false, changes });
  stream.push({ revision: 2n, resync: false, changes: [change('k0', 1, 0)] });
  const [first, second] = await take(stream, 2);
  expect(first?.changes).toBe(changes);
  expect(second && brief(second)).toEqual([2n, false, ['put', 'k0', 1, 0]]);
});

it('what was held is delivered before the end', async () => {
  let closed = 0;
  const stream = new ChangeStream<number>(() => closed++);
  for (let n = 1; n <= 3_000; n++)
    stream.push({ revision: BigInt(n), resync: false, changes: [change('a', n)] });
  stream.end();
  stream.push({ revision: 9n, resync: false, changes: [] });
  const updates: CacheUpdate<number>[] = [];
  for await (const update of stream) updates.push(update);
  expect([updates.length, updates.at(-1)?.revision, closed]).toEqual([1_025, 3_000n, 1]);
  expect(updates.at(-1)?.changes.map(({ value }) => value)).toEqual([3_000]);
});
