import { eventually } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import { compact, losingTheResponse, taker, useEtcd } from './setup.js';
import { watchedClient } from './watched-client.js';

const t = useEtcd();

describe('a lost response', () => {
  it('is resolved: set, compare-and-set, delete and rollback are applied exactly once', async () => {
    const key = t.key();
    const proxy = await t.proxy();
    const config = t.center(await t.connect({ endpoints: [proxy.endpoint], requestTimeoutMs: 10_000 }));
    const at = (version: number) => async () =>
      (await t.config.getHistory(key, { limit: 1 }))[0]?.version === version;
    const lose = <T>(write: () => Promise<T>, version: number) =>
      losingTheResponse(proxy, write, at(version));
    expect(await lose(() => config.set(key, 'a'), 1)).toMatchObject({ version: 1 });
    expect(await lose(() => config.compareAndSet(key, 'b', 1), 2)).toMatchObject({ version: 2 });
    expect(await lose(() => config.delete(key, { version: 2 }), 3)).toBe(true);
    expect(await lose(() => config.rollback(key, 1, { version: 0 }), 4)).toMatchObject({
      version: 4,
      value: 'a',
    });
    const history = await t.config.getHistory(key);
    expect(history.map(({ operation }) => operation)).toEqual(['rollback', 'delete', 'put', 'put']);
    expect((await config.get(key)).revision).toBe(history[0]?.revision);
  });

  it('is resolved also when another write has followed', async () => {
    const key = t.key();
    const proxy = await t.proxy();
    const config = t.center(await t.connect({ endpoints: [proxy.endpoint], requestTimeoutMs: 10_000 }));
    await config.set(key, 0);
    const written = await losingTheResponse(
      proxy,
      () => config.compareAndSet(key, 1, 1),
      async () => (await t.config.getVersion(key)) === 2,
      () => t.config.set(key, 'by another'),
    );
    expect(written).toMatchObject({ value: 1, version: 2 });
    const history = await t.config.getHistory(key);
    expect(history.map(({ version, value }) => [version, value])).toEqual([
      [3, 'by another'],
      [2, 1],
      [1, 0],
    ]);
    expect(written.revision).toBe(history[1]?.revision);
  });

  it('is reported as unknown when the history has already forgotten the write', async () => {
    const key = t.key();
    const proxy = await t.proxy();
    const client = await t.connect({ endpoints: [proxy.endpoint], requestTimeoutMs: 10_000 });
    const config = t.center(client, { maxVersionHistory: 1 });
    const others = t.center(t.client, { maxVersionHistory: 1 });
    await config.set(key, 0);
    const call = losingTheResponse(
      proxy,
      () => config.set(key, 1),
      async () => (await others.getVersion(key)) === 2,
      () => others.set(key, 'by another'),
    );
    await expect(call).rejects.toMatchObject({ outcome: 'unknown' });
    expect(await others.get(key)).toMatchObject({ value: 'by another', version: 3 });
  });

  it('without versioning is reported as unknown', async () => {
    const key = t.key();
    const proxy = await t.proxy();
    const client = await t.connect({ endpoints: [proxy.endpoint], requestTimeoutMs: 10_000 });
    const config = t.center(client, { enableVersioning: false });
    const call = losingTheResponse(
      proxy,
      () => config.set(key, 1),
      async () => (await t.config.getValue(key, 0)) === 1,
    );
    await expect(call).rejects.toMatchObject({ outcome: 'unknown' });
  });

  it('is reported as unknown when etcd does not come back', async () => {
    const key = t.key();
    const proxy = await t.proxy();
    const client = await t.connect({ endpoints: [proxy.endpoint], requestTimeoutMs: 600 });
    const config = t.center(client);
    await config.set(key, 0);
    proxy.delay(100, 'toClient');
    const call = config.set(key, 1);
    call.catch(() => undefined);
    await eventually(async () => (await t.config.getVersion(key)) === 2);
    proxy.blackhole();
    await expect(call).rejects.toMatchObject({ outcome: 'unknown' });
  });

  it('by abort is reported as unknown', async () => {
    const key = t.key();
    const proxy = await t.proxy();
    const config = t.center(await t.connect({ endpoints: [proxy.endpoint] }));
    await config.set(key, 0);
    proxy.delay(200, 'toClient');
    const abort = new AbortController();
    const call = config.set(key, 1, { signal: abort.signal });
    call.catch(() => undefined);
    await eventually(async () => (await t.config.getVersion(key)) === 2);
    abort.abort('enough');
    await expect(call).rejects.toMatchObject({ name: 'AbortedError', outcome: 'unknown', cause: 'enough' });
  });
});

describe('an outage', () => {
  it('is reported by linearizable reads, and bridged by cached ones', async () => {
    const key = t.key();
    const proxy = await t.proxy();
    const config = t.center(await t.connect({ endpoints: [proxy.endpoint], requestTimeoutMs: 500 }));
    await config.set(key, 'last known');
    expect((await config.get(key, { consistency: 'cached' })).version).toBe(1);
    await proxy.refuse();
    proxy.cut();
    await expect(config.get(key)).rejects.toMatchObject({ outcome: 'not-applied' });
    expect(await config.get(key, { consistency: 'cached' })).toMatchObject({
      value: 'last known',
      version: 1,
    });
    await proxy.accept();
    await t.config.set(key, 'newer');
    await eventually(async () => (await config.getValue(key, '', { consistency: 'cached' })) === 'newer', {
      timeoutMs: 15_000,
    });
  });

  it('does not hang a cached read of a key never read before', async () => {
    const proxy = await t.proxy();
    const config = t.center(await t.connect({ endpoints: [proxy.endpoint], requestTimeoutMs: 300 }));
    await proxy.refuse();
    proxy.cut();
    await expect(config.get(t.key(), { consistency: 'cached' })).rejects.toMatchObject({
      name: 'TimeoutError',
    });
  });
});

describe('a watch', () => {
  it('over cut connections loses nothing and repeats nothing', async () => {
    const prefix = t.key('cuts');
    const proxy = await t.proxy();
    const config = t.center(await t.connect({ endpoints: [proxy.endpoint] }));
    const watch = config.watchPrefix<number>(prefix);
    const seen: number[] = [];
    const versions: number[] = [];
    const done = (async () => {
      for await (const change of watch) {
        if (change.key.endsWith('/end')) break;
        seen.push(change.value ?? -1);
        versions.push(change.version);
      }
    })();
    await watch.ready;
    const count = 150;
    for (let n = 1; n <= count; n++) {
      await t.config.set(`${prefix}/n`, n);
      if (n % 30 === 0) proxy.cut();
    }
    await t.config.set(`${prefix}/end`, 1);
    await done;
    const expected = Array.from({ length: count }, (_, i) => i + 1);
    expect(seen).toEqual(expected);
    expect(versions).toEqual(expected);
  });

  it('after an outage beyond compaction tells what is different, also what is gone', async () => {
    const prefix = t.key('compacted');
    const proxy = await t.proxy();
    const config = t.center(await t.connect({ endpoints: [proxy.endpoint] }));
    for (const name of ['kept', 'changed', 'gone', 'replaced']) await t.config.set(`${prefix}/${name}`, 1);
    const watch = config.watchPrefix(prefix);
    await watch.ready;
    await proxy.refuse();
    proxy.cut();
    await t.config.set(`${prefix}/changed`, 2);
    await t.config.set(`${prefix}/changed`, 3);
    await t.config.delete(`${prefix}/gone`);
    await t.config.delete(`${prefix}/replaced`);
    await t.config.set(`${prefix}/replaced`, 2);
    await t.config.set(`${prefix}/new`, 1);
    await compact(t.client);
    await proxy.accept();
    const changes = new Map<string, unknown>();
    for await (const { key, type, version, value, previous, last } of watch) {
      changes.set(key.slice(prefix.length + 1), [type, version, value, previous?.version]);
      if (last) break;
    }
    expect(changes).toEqual(
      new Map<string, unknown>([
        ['changed', ['update', 3, 3, 1]],
        ['gone', ['delete', 2, undefined, 1]],
        ['replaced', ['update', 3, 2, 1]],
        ['new', ['create', 1, 1, undefined]],
      ]),
    );
  });

  it('that cannot read records until history and compaction have passed skips what nobody knows any more', async () => {
    const key = t.key('lag');
    const config = t.center(t.client, { maxVersionHistory: 2 });
    const slow = watchedClient(t.client);
    await config.set(key, 0);
    await using watch = t.center(slow.client).watch(key);
    await watch.ready;
    slow.hold();
    for (let n = 1; n <= 6; n++) await config.set(key, n);
    await compact(t.client);
    slow.letGo();
    const changes = await taker(watch)(2);
    expect(changes).toMatchObject([
      {
        type: 'update',
        value: 5,
        version: 6,
        external: false,
        last: true,
        previous: { value: 0, version: 1 },
      },
      { type: 'update', value: 6, version: 7, external: false, previous: { value: 5, version: 6 } },
    ]);
  });

  it('that cannot read records until history and compaction have passed tells no half of a release', async () => {
    const prefix = t.key('halves');
    const [quiet, busy] = [`${prefix}/quiet`, `${prefix}/busy`];
    const config = t.center(t.client, { maxVersionHistory: 2 });
    const slow = watchedClient(t.client);
    await using watch = t.center(slow.client).watchPrefix<number>(prefix);
    await watch.ready;
    slow.hold();
    const publish = (value: number) => config.publish([quiet, busy].map((key) => ({ key, value })));
    const release = await publish(1);
    for (let n = 2; n <= 5; n++) await config.set(busy, n);
    const last = await publish(6); // of the quiet one the first version is still in its history
    await compact(t.client);
    slow.letGo();
    const seen: { readonly key: string; readonly value?: number; readonly releaseId?: string }[] = [];
    for await (const change of watch) {
      seen.push(change);
      if (change.releaseId === last?.id && change.last) break;
    }
    expect(seen.filter(({ releaseId }) => releaseId === release?.id)).toEqual([]);
    expect(seen.slice(-2).map(({ key, value }) => [key, value])).toEqual([
      [quiet, 6],
      [busy, 6],
    ]);
  });

  it('that cannot read records until compaction has passed still tells what others wrote, and after which version', async () => {
    const [key, foreign] = [t.key('lag'), t.key('foreign')];
    const rawKey = (name: string) => `/config/${name}`;
    const slow = watchedClient(t.client);
    const config = t.center(slow.client);
    await using watch = config.watch(key);
    await using others = config.watch(foreign);
    await Promise.all([watch.ready, others.ready]);
    slow.hold();
    await t.config.set(key, 1);
    await t.config.set(key, 2);
    await t.client.kv.put(rawKey(key), '"by others"');
    await t.client.kv.delete(rawKey(key));
    await t.config.set(key, 3);
    await t.client.kv.put(rawKey(foreign), 'x');
    await t.config.set(foreign, 'y');
    await compact(t.client);
    slow.letGo();
    expect(await taker(watch)(5)).toMatchObject([
      { value: 1, version: 1, external: false },
      { value: 2, version: 2, external: false },
      { value: 'by others', version: 2, external: true },
      { type: 'delete', version: 2, external: true },
      { type: 'create', value: 3, version: 4, external: false },
    ]);
    expect(await taker(others)(2)).toMatchObject([
      { type: 'create', value: 'x', version: 0, external: true },
      { type: 'update', value: 'y', version: 2, external: false },
    ]);
  });

  it('that reads a record late gets it as it was then: before a newer one, and before its removal', async () => {
    const [newer, removed] = [t.key('newer'), t.key('removed')];
    const slow = watchedClient(t.client);
    const config = t.center(slow.client, { maxVersionHistory: 1 });
    const writer = t.center(t.client, { maxVersionHistory: 1 });
    await using watch = config.watch(newer);
    await using other = config.watch(removed);
    await Promise.all([watch.ready, other.ready]);
    slow.hold();
    await writer.set(newer, 'a');
    await writer.set(newer, 'b');
    await writer.set(removed, 'a');
    await t.client.kv.delete(`/coord/config/meta/${removed}`);
    slow.letGo();
    expect(await taker(watch)(2)).toMatchObject([
      { value: 'a', version: 1, external: false },
      { value: 'b', version: 2, external: false },
    ]);
    expect(await taker(other)(1)).toMatchObject([{ value: 'a', version: 1, external: false }]);
  });

  it('whose consumer lags behind history and compaction misses nothing: what he has not taken is kept for him', async () => {
    const key = t.key('lag');
    const config = t.center(t.client, { maxVersionHistory: 2 });
    await using watch = t.config.watch(key);
    await using prompt = t.config.watch(key);
    await Promise.all([watch.ready, prompt.ready]);
    for (let n = 1; n <= 6; n++) await config.set(key, n);
    await taker(prompt)(6);
    await compact(t.client);
    const changes = await taker(watch)(6);
    expect(changes.map(({ value, version, external }) => [value, version, external])).toEqual(
      Array.from({ length: 6 }, (_, n) => [n + 1, n + 1, false]),
    );
  });

  it('started while etcd is away begins when it is back', async () => {
    const key = t.key();
    const proxy = await t.proxy();
    const config = t.center(await t.connect({ endpoints: [proxy.endpoint], requestTimeoutMs: 300 }));
    await proxy.refuse();
    proxy.cut();
    const watch = config.watch(key, { initial: true });
    await t.config.set(key, 'there');
    await proxy.accept();
    for await (const change of watch) {
      expect(change).toMatchObject({ type: 'create', value: 'there', version: 1 });
      break;
    }
    await watch.close();
  });

  it('ends at once when closed while etcd is away', async () => {
    const proxy = await t.proxy();
    const config = t.center(await t.connect({ endpoints: [proxy.endpoint] }));
    const watch = config.watch(t.key(), { initial: true });
    await proxy.refuse();
    proxy.cut();
    const next = watch[Symbol.asyncIterator]().next();
    await watch.close();
    await next;
    await config.close();
  });
});
