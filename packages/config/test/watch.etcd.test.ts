import { eventually } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { taker, useEtcd } from './setup.js';

const t = useEtcd();
const rawKey = (key: string) => `/config/${key}`;

describe('watch', () => {
  it('tells create, update and delete, with version, author’s time and what was before', async () => {
    const key = t.key();
    const watch = t.config.watch<number>(key);
    const take = taker(watch);
    await watch.ready;
    await eventually(() => watch.live);
    const first = await t.config.set(key, 1);
    await t.config.set(key, 2);
    await t.config.delete(key);
    await t.config.set(key, 4);
    const changes = await take(4);
    expect(changes).toMatchObject([
      {
        type: 'create',
        key,
        value: 1,
        version: 1,
        revision: first.revision,
        external: false,
        last: true,
        timestamp: first.updateTime,
      },
      { type: 'update', value: 2, version: 2, previous: { value: 1, version: 1, revision: first.revision } },
      { type: 'delete', version: 3, previous: { value: 2, version: 2 } },
      { type: 'create', value: 4, version: 4 },
    ]);
    expect(changes[0]?.previous).toBeUndefined();
    expect(changes[2]?.value).toBeUndefined();
    expect(changes[3]?.previous).toBeUndefined();
    await watch.close();
  });

  it('knows what was there when it started', async () => {
    const key = t.key();
    await t.config.set(key, 'before');
    await using watch = t.config.watch(key);
    await watch.ready;
    await t.config.set(key, 'after');
    const [change] = await taker(watch)(1);
    expect(change).toMatchObject({ type: 'update', version: 2, previous: { value: 'before', version: 1 } });
  });

  it('with initial tells first what is there, or that nothing is', async () => {
    const [present, absent] = [t.key(), t.key()];
    await t.config.set(present, 1);
    await using one = t.config.watch(present, { initial: true });
    await using other = t.config.watch(absent, { initial: true });
    const [take, takeOther] = [taker(one), taker(other)];
    expect(await take(1)).toMatchObject([{ type: 'create', value: 1, version: 1, last: true }]);
    expect(await takeOther(1)).toMatchObject([{ type: 'delete', key: absent, version: 0 }]);
    await t.config.set(present, 2);
    await t.config.set(absent, 1);
    expect(await take(1)).toMatchObject([{ type: 'update', value: 2 }]);
    expect(await takeOther(1)).toMatchObject([{ type: 'create', value: 1 }]);
  });

  it('tells what is there now, though it shares a copy that may lag', async () => {
    const key = t.key();
    const others = t.center(await t.connect());
    for (let n = 1; n <= 20; n++) {
      if (n % 5 === 0) await others.delete(key);
      else await others.set(key, n);
      const watch = t.config.watch(key, { initial: true });
      const [change] = await taker(watch)(1);
      expect(change?.value).toBe(n % 5 === 0 ? undefined : n);
      await watch.close();
    }
  });

  it('tells changes by others as such', async () => {
    const key = t.key();
    await t.config.set(key, 1);
    await using watch = t.config.watch(key);
    await watch.ready;
    await t.client.kv.put(rawKey(key), 'outside');
    await t.client.kv.put(rawKey(key), 'outside');
    await t.client.kv.delete(rawKey(key));
    await t.config.set(key, 'managed');
    expect(await taker(watch)(4)).toMatchObject([
      { type: 'update', value: 'outside', version: 1, external: true },
      { type: 'update', value: 'outside', version: 1, external: true, previous: { external: true } },
      { type: 'delete', version: 1, external: true },
      { type: 'create', value: 'managed', version: 3, external: false },
    ]);
  });

  it('goes on after a value that is unusable, and says why it is', async () => {
    const key = t.key();
    const schema = z.object({ port: z.number() });
    await using watch = t.config.watch(key, { schema });
    await watch.ready;
    await t.client.kv.put(rawKey(key), '{"__proto__":{}}');
    await t.config.set(key, { port: 'x' });
    await t.config.set(key, { port: 1 });
    const [hostile, invalid, good] = await taker(watch)(3);
    expect(hostile?.error?.issues).toMatchObject([{ path: 'value.__proto__' }]);
    expect(invalid?.error?.issues).toMatchObject([{ path: 'value.port' }]);
    expect(invalid && 'value' in invalid).toBe(false);
    expect(good).toMatchObject({ type: 'update', value: { port: 1 } });
    expect(good?.error).toBeUndefined();
    const port: number | undefined = good?.value?.port;
    expect(port).toBe(1);
  });

  it('keeps up with a burst, in order', async () => {
    const key = t.key();
    await using watch = t.config.watch<number>(key);
    await watch.ready;
    const writes = Promise.all(Array.from({ length: 50 }, (_, n) => t.config.set(key, n)));
    const changes = await taker(watch)(50);
    await writes;
    expect(changes.map(({ version }) => version)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    const history = await t.config.getHistory(key);
    expect(changes.map(({ value }) => value)).toEqual(history.map(({ value }) => value).reverse());
  });

  it('ends by break, close, signal and the closing of the centre', async () => {
    const key = t.key();
    await t.config.set(key, 1);
    const broken = t.config.watch(key, { initial: true });
    for await (const change of broken) {
      expect(change.value).toBe(1);
      break;
    }
    expect(broken.live).toBe(false);

    const closed = t.config.watch(key);
    const end = taker(closed)(1);
    await closed.close();
    await closed.close();
    expect(await end).toEqual([]);
    await closed.ready.catch(() => undefined);

    const abort = new AbortController();
    const aborted = t.config.watch(key, { signal: abort.signal });
    const failure = taker(aborted)(1);
    abort.abort('enough');
    await expect(failure).rejects.toMatchObject({ name: 'AbortedError', cause: 'enough' });

    const config = t.center(t.client);
    const rest = taker(config.watch(key))(1);
    await config.close();
    expect(await rest).toEqual([]);
  });

  it('has one consumer', async () => {
    await using watch = t.config.watch(t.key());
    watch[Symbol.asyncIterator]();
    expect(() => watch[Symbol.asyncIterator]()).toThrow(TypeError);
  });
});

describe('watchPrefix', () => {
  it('follows what is below, not the prefix itself and not a longer name', async () => {
    const app = t.key('app');
    await using watch = t.config.watchPrefix(`/${app}/`);
    await watch.ready;
    await t.config.set(app, 0);
    await t.config.set(`${app}2/x`, 0);
    await t.config.set(`${app}/a`, 1);
    await t.config.set(`${app}/b/c`, 2);
    expect((await taker(watch)(2)).map(({ key }) => key)).toEqual([`${app}/a`, `${app}/b/c`]);
  });

  it('keeps what one transaction changed together, the last one marked', async () => {
    const app = t.key('app');
    await using watch = t.config.watchPrefix<number>(app);
    await watch.ready;
    const keys = Array.from({ length: 30 }, (_, n) => `${app}/${String(n).padStart(2, '0')}`);
    await t.client.kv.txn({
      success: keys.map((key, n) => ({ put: { key: rawKey(key), value: String(n) } })),
    });
    await t.config.set(`${app}/zz`, 1);
    const changes = await taker(watch)(31);
    expect(changes.map(({ key }) => key)).toEqual([...keys, `${app}/zz`]);
    expect(changes.map(({ last }) => last)).toEqual([...Array(29).fill(false), true, true]);
    expect(new Set(changes.slice(0, 30).map(({ revision }) => revision)).size).toBe(1);
  });

  it('with initial tells first all that is there, by whom ever', async () => {
    const app = t.key('app');
    for (let n = 0; n < 40; n++) await t.config.set(`${app}/${n}`, n);
    await t.client.kv.put(rawKey(`${app}/outside`), 'x');
    await t.client.kv.put(rawKey(`${app}//unreachable`), 'x');
    await using watch = t.config.watchPrefix(app, { initial: true });
    const take = taker(watch);
    const changes = await take(41);
    expect(new Set(changes.map(({ key }) => key)).size).toBe(41);
    expect(changes.filter(({ external }) => external).map(({ key }) => key)).toEqual([`${app}/outside`]);
    expect(changes.filter(({ last }) => last)).toHaveLength(1);
    await t.config.set(`${app}/0`, 'new');
    expect(await take(1)).toMatchObject([{ type: 'update', version: 2, previous: { value: 0 } }]);
  });
});

it('one signal ends any number of calls and watches, and many keys may change at once, without a warning of Node', async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  try {
    const prefix = t.key('many');
    const { signal } = new AbortController();
    const names = Array.from({ length: 16 }, (_, n) => `${prefix}/${n}`);
    const watches = [
      t.config.watchPrefix(prefix, { signal }),
      ...names.map((key) => t.config.watch(key, { signal })),
    ];
    await Promise.all(watches.map(({ ready }) => ready));
    const success = names.map((key) => ({ put: { key: rawKey(key), value: '1' } }));
    await t.client.kv.txn({ success });
    const [first] = watches;
    expect(first && (await taker(first)(names.length))).toHaveLength(names.length);
    await Promise.all(names.map((key) => t.config.get(key, { signal })));
    await Promise.all(names.map((key) => t.client.kv.get(rawKey(key), { signal })));
    const direct = names.map((key) => t.client.watch(rawKey(key), { signal }));
    await Promise.all(direct.map(({ ready }) => ready));
    await Promise.all([...watches, ...direct].map((watch) => watch.close()));
    expect(warnings).toEqual([]);
  } finally {
    process.off('warning', onWarning);
  }
});
