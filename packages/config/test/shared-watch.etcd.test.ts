import { eventually } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { internalsOfCenter } from '../src/internal.js';
import { taker, useEtcd } from './setup.js';
import { watchedClient } from './watched-client.js';

const t = useEtcd();
const rawKey = (key: string) => `/config/${key}`;
const metaKey = (key: string) => `/coord/config/meta/${key}`;

describe('watches of one key on one centre', () => {
  it('share one copy, and one read of the record of each change', async () => {
    const key = t.key();
    const { client, reads, copies } = watchedClient(t.client);
    const config = t.center(client);
    await t.config.set(key, 0);
    const watches = Array.from({ length: 50 }, () => config.watch<number>(key));
    const takers = watches.map((watch) => taker(watch));
    await Promise.all(watches.map(({ ready }) => ready));
    expect(copies()).toEqual({ opened: 1, open: 1 });
    reads.length = 0;
    for (let n = 1; n <= 5; n++) {
      await t.config.set(key, n);
      for (const take of takers) expect(await take(1)).toMatchObject([{ value: n, version: n + 1 }]);
    }
    expect(reads).toEqual(Array(5).fill(metaKey(key)));
  });

  it('keep their values apart: what one does to his is not seen by the others, nor later as the previous one', async () => {
    const key = t.key();
    const schema = z.object({ list: z.array(z.number()) });
    const [one, other] = [
      t.config.watch<{ list: number[] }>(key, { initial: true }),
      t.config.watch<{ list: number[] }>(key, { initial: true }),
    ];
    const checked = t.config.watch(key, { initial: true, schema });
    const [take, takeOther, takeChecked] = [taker(one), taker(other), taker(checked)];
    for (const each of [take, takeOther, takeChecked]) await each(1); // absent
    await t.config.set(key, { list: [1] });
    const [first] = await take(1);
    first?.value?.list.push(99);
    expect((await takeOther(1))[0]?.value).toEqual({ list: [1] });
    expect((await takeChecked(1))[0]?.value).toEqual({ list: [1] });
    await t.config.set(key, { list: [2] });
    for (const each of [take, takeOther, takeChecked]) {
      const [change] = await each(1);
      expect(change).toMatchObject({ value: { list: [2] }, previous: { value: { list: [1] }, version: 1 } });
      change?.previous?.value.list.push(98);
      change?.value?.list.push(97);
    }
    await t.config.set(key, { list: [3] });
    for (const each of [take, takeOther, takeChecked]) {
      expect((await each(1))[0]?.previous?.value).toEqual({ list: [2] });
    }
    await Promise.all([one, other, checked].map((watch) => watch.close()));
  });

  it('those who say that they share get one frozen value; bytes cannot be frozen', async () => {
    const [key, bytes] = [t.key(), t.key()];
    await t.config.set(key, { list: [{ a: 1 }], big: 2n ** 60n });
    await t.config.set(bytes, Uint8Array.of(1, 2));
    const internals = internalsOfCenter(t.config);
    const open = (name: string) => internals?.watchShared(name) ?? t.config.watch(name);
    const watches = [open(key), open(key)];
    const [one, other] = await Promise.all(watches.map(async (watch) => (await taker(watch)(1))[0]));
    expect(one?.value).toEqual({ list: [{ a: 1 }], big: 2n ** 60n });
    expect(one?.value).toBe(other?.value);
    expect(Object.isFrozen(Object(one?.value).list[0])).toBe(true);
    await using watch = open(bytes);
    expect((await taker(watch)(1))[0]?.value).toEqual(Uint8Array.of(1, 2));
    // A consumer of the ordinary kind is not concerned.
    await using own = t.config.watch<{ list: unknown[] }>(key, { initial: true });
    const [mine] = await taker(own)(1);
    mine?.value?.list.push(1);
    await Promise.all(watches.map((each) => each.close()));
  });

  it('one that begins in the middle of a change gets the new value first, and no change twice', async () => {
    const key = t.key();
    const watched = watchedClient(t.client);
    const config = t.center(watched.client);
    await t.config.set(key, 1);
    await using early = config.watch<number>(key, { initial: true });
    const takeEarly = taker(early);
    expect(await takeEarly(1)).toMatchObject([{ type: 'create', value: 1 }]);
    watched.hold();
    await t.config.set(key, 2);
    await eventually(() => watched.waiting === 1); // the change has come, and its record is being read
    await using late = config.watch<number>(key, { initial: true });
    const takeLate = taker(late);
    const begun = takeLate(1);
    await t.config.set(key, 3);
    watched.letGo();
    expect(await takeEarly(2)).toMatchObject([
      { type: 'update', value: 2, previous: { value: 1 } },
      { type: 'update', value: 3, previous: { value: 2 } },
    ]);
    const [first] = await begun;
    expect(first).toMatchObject({ type: 'create' });
    expect([2, 3]).toContain(first?.value);
    await t.config.set(key, 4);
    const rest = await takeLate(4 - (first?.value ?? 0));
    expect([first, ...rest].map((change) => change?.value)).toEqual(first?.value === 2 ? [2, 3, 4] : [3, 4]);
    expect(await takeEarly(1)).toMatchObject([{ value: 4 }]);
  });

  it('end one by one: the last one closes the copy, and who comes then gets what is there then', async () => {
    const key = t.key();
    const { client, copies } = watchedClient(t.client);
    const config = t.center(client);
    await t.config.set(key, 1);
    const abort = new AbortController();
    const closed = config.watch<number>(key);
    const aborted = config.watch<number>(key, { signal: abort.signal });
    const broken = config.watch<number>(key, { initial: true });
    const stays = config.watch<number>(key, { initial: true });
    await Promise.all([closed, aborted, broken, stays].map(({ ready }) => ready));
    const take = taker(stays);
    const failure = taker(aborted)(1);
    await closed.close();
    abort.abort('enough');
    await expect(failure).rejects.toMatchObject({ name: 'AbortedError', cause: 'enough' });
    for await (const change of broken) {
      expect(change.value).toBe(1);
      break;
    }
    expect([closed, aborted, broken, stays].map(({ live }) => live)).toEqual([false, false, false, true]);
    await t.config.set(key, 2);
    expect((await take(2)).map(({ value }) => value)).toEqual([1, 2]);
    expect(copies()).toEqual({ opened: 1, open: 1 });
    await stays.close();
    expect(copies()).toEqual({ opened: 1, open: 0 });
    await t.config.set(key, 3);
    await using again = config.watch<number>(key, { initial: true });
    expect(await taker(again)(1)).toMatchObject([{ type: 'create', value: 3, version: 3 }]);
    expect(copies()).toEqual({ opened: 2, open: 1 });
  });

  it('what one has not taken when it is aborted, it does not get', async () => {
    const key = t.key();
    const abort = new AbortController();
    const aborted = t.config.watch<number>(key, { signal: abort.signal });
    const other = t.config.watch<number>(key);
    await Promise.all([aborted.ready, other.ready]);
    await t.config.set(key, 1);
    expect((await taker(other)(1))[0]?.value).toBe(1);
    abort.abort('enough');
    await expect(taker(aborted)(1)).rejects.toMatchObject({ cause: 'enough' });
    await other.close();
  });
});

it('a consumer of a prefix that lags far behind holds up nobody: he gets the oldest as they were, then the newest of each key', async () => {
  const prefix = t.key('slow');
  const [fast, slow] = [t.config.watchPrefix<number>(prefix), t.config.watchPrefix<number>(prefix)];
  await Promise.all([fast.ready, slow.ready]);
  const keys = Array.from({ length: 100 }, (_, n) => `${prefix}/${String(n).padStart(2, '0')}`);
  const rounds = 14;
  const takeFast = taker(fast);
  for (let round = 1; round <= rounds; round++) {
    await t.client.kv.txn({
      success: keys.map((key) => ({ put: { key: rawKey(key), value: String(round) } })),
    });
    const changes = await takeFast(keys.length);
    expect(changes.map(({ key, value }) => [key, value])).toEqual(keys.map((key) => [key, round]));
  }
  const takeSlow = taker(slow);
  const early = await takeSlow(10 * keys.length); // so much is kept for him as it was
  const asTheyWere = Array.from({ length: 10 }, (_, n) => keys.map(() => n + 1)).flat();
  expect(early.map(({ value }) => value)).toEqual(asTheyWere);
  const merged = await takeSlow(keys.length);
  expect(merged.map(({ key, value, previous }) => [key, value, previous?.value])).toEqual(
    keys.map((key) => [key, rounds, 10]),
  );
  expect(merged.map(({ last }) => last)).toEqual([...Array(keys.length - 1).fill(false), true]);
  await t.config.set(`${prefix}/zz`, 1);
  expect(await takeSlow(1)).toMatchObject([{ type: 'create', value: 1, version: 1 }]);
  await Promise.all([fast.close(), slow.close()]);
});
