import { eventually, startEtcd } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import { CompactedError, connect, type WatchBatch, type WatchOptions } from '../src/index.js';
import { failure } from './failure.js';
import { disconnect, farFrom, farOfEachTest } from './far.js';
import { oneEtcd } from './one-etcd.js';
import { kvCalls } from './rpc-count.js';
import { brief, compactTo, next, putKeys, putMany } from './watch-support.js';

const { etcd, client } = await oneEtcd();
const far = farOfEachTest(etcd);

/** Writes elsewhere until nothing of the ranges watched is newer, and compacts to there. */
async function compactEverything(): Promise<bigint> {
  const { revision } = await client.kv.put('/elsewhere', '');
  await compactTo(client, revision);
  return revision;
}

/** A watch that knows a, b, c; meanwhile b changed, c went, d came; and all of that is compacted. */
async function behind(prefix: string, options: WatchOptions) {
  const { revision } = await client.kv.put(`${prefix}a`, '1');
  await client.kv.put(`${prefix}b`, '1');
  await client.kv.put(`${prefix}c`, '1');
  const watch = far.client.watch({ prefix }, { startRevision: revision, ...options });
  const iterator = watch[Symbol.asyncIterator]();
  if (options.ignore !== 'put') for (let i = 0; i < 3; i++) await iterator.next();
  else {
    await client.kv.put(`${prefix}e`, '1');
    await client.kv.delete(`${prefix}e`);
    await iterator.next();
  }
  await disconnect(far.proxy);
  await client.kv.put(`${prefix}b`, '2');
  await client.kv.delete(`${prefix}c`);
  const { revision: last } = await client.kv.put(`${prefix}d`, '1');
  await compactTo(client, last);
  await far.proxy.accept();
  return { watch, iterator, last };
}

describe('a compaction while the line is cut', () => {
  it('difference: what changed, with deletes that carry the revision of the resync', async () => {
    const { watch, iterator, last } = await behind('/k/diff/', {});
    const { value: batch } = await iterator.next();
    expect(batch).toMatchObject({ resync: true });
    expect(brief(batch)).toEqual(['delete c=', 'put b=2', 'put d=1']);
    expect(batch.revision).toBeGreaterThanOrEqual(last);
    expect(batch.events.find(({ type }: { type: string }) => type === 'delete')?.kv.modRevision).toBe(
      batch.revision,
    );
    const after = await client.kv.put('/k/diff/e', '1');
    expect((await iterator.next()).value).toMatchObject({ revision: after.revision, resync: false });
    await watch.close();
  });

  it('difference: a watch that ignores puts still finds the deletes', async () => {
    const { watch, iterator } = await behind('/k/diff-deletes/', { ignore: 'put' });
    const { value: batch } = await iterator.next();
    expect(brief(batch)).toEqual(['delete c=']);
    await watch.close();
  });

  it('snapshot: every key; and of an empty range, a batch without any', async () => {
    const { watch, iterator } = await behind('/k/snap/', { resync: 'snapshot' });
    expect(brief((await iterator.next()).value)).toEqual(['put a=1', 'put b=2', 'put d=1']);
    await disconnect(far.proxy);
    const { revision } = await client.kv.delete({ prefix: '/k/snap/' });
    await compactEverything();
    await far.proxy.accept();
    const { value: empty } = await iterator.next();
    expect(empty).toMatchObject({ resync: true, events: [] });
    expect(empty.revision).toBeGreaterThan(revision);
    await watch.close();
  });

  it('error: a CompactedError that knows the revision, and other watches go on', async () => {
    // etcd3 drops the compact revision; without an error listener it ends the process, or every other watch.
    const neighbour = far.client.watch('/k/neighbour');
    await neighbour.ready;
    const { iterator, last } = await behind('/k/error/', { resync: 'error' });
    const error = await failure(iterator.next());
    expect(error).toBeInstanceOf(CompactedError);
    expect(error).toMatchObject({ compactRevision: last });
    const { revision } = await client.kv.put('/k/neighbour', 'x');
    expect(await next(neighbour)).toMatchObject({ revision });
  });

  it('nothing is said of a range where nothing happened, and the next event comes', async () => {
    const watch = far.client.watch('/k/quiet');
    await watch.ready;
    await disconnect(far.proxy);
    await compactEverything();
    await far.proxy.accept();
    const { revision } = await client.kv.put('/k/quiet', 'x');
    expect(await next(watch)).toMatchObject({ revision });
  });

  it('twice in a row: two differences, each from where the watch was', async () => {
    const { iterator, watch } = await behind('/k/twice/', {});
    expect(brief((await iterator.next()).value)).toEqual(['delete c=', 'put b=2', 'put d=1']);
    await disconnect(far.proxy);
    await client.kv.delete('/k/twice/d');
    await client.kv.put('/k/twice/a', '9');
    await compactEverything();
    await far.proxy.accept();
    expect(brief((await iterator.next()).value)).toEqual(['delete d=', 'put a=9']);
    await watch.close();
  });

  it('with a restart of etcd in between', async () => {
    const { iterator, watch } = await behind('/k/restart/', {});
    expect((await iterator.next()).value).toMatchObject({ resync: true });
    await disconnect(far.proxy);
    await client.kv.put('/k/restart/a', '5');
    await compactEverything();
    await etcd.kill();
    await etcd.restart();
    await far.proxy.accept();
    expect(brief((await iterator.next()).value)).toEqual(['put a=5']);
    await eventually(() => client.kv.put('/k/restart/a', '6'), { timeoutMs: 15_000 });
    expect(brief((await iterator.next()).value)).toEqual(['put a=6']);
    await watch.close();
  });
});

describe('a compaction while the consumer is slow', () => {
  it.each(['difference', 'snapshot'] as const)('%s: what is held first, then the resync', async (resync) => {
    const prefix = `/k/full-${resync}/`;
    const watch = far.client.watch({ prefix }, { maxBuffered: 2, resync });
    await watch.ready;
    for (const value of ['1', '2']) await client.kv.put(`${prefix}a`, value);
    // A message that comes together is held together, so the rest comes only when these two are there.
    const iterator = watch[Symbol.asyncIterator]();
    const held: WatchBatch[] = [(await iterator.next()).value];
    for (const value of ['3', '4', '5', '6', '7', '8', '9']) await client.kv.put(`${prefix}a`, value);
    await client.kv.put(`${prefix}b`, '1');
    await compactEverything();
    const state = new Map<string, string>();
    for (const batch of held) for (const { key, kv } of batch.events) state.set(key, kv.text());
    const last = await client.kv.put(`${prefix}end`, '');
    let before = held[0]?.revision ?? 0n;
    for (;;) {
      const batch: WatchBatch = (await iterator.next()).value;
      expect(batch.revision).toBeGreaterThan(before);
      before = batch.revision;
      for (const { key, kv } of batch.events) state.set(key, kv.text());
      if (batch.revision >= last.revision) break;
    }
    expect([...state]).toEqual([
      [`${prefix}a`, '9'],
      [`${prefix}b`, '1'],
      [`${prefix}end`, ''],
    ]);
    await watch.close();
  });
});

describe('a compaction at an awkward moment', () => {
  it('before the watch began: its start is resynced', async () => {
    const { revision } = await client.kv.put('/k/start/a', '1');
    await compactTo(client, (await client.kv.put('/k/start/a', '2')).revision);
    const batch = await next(far.client.watch({ prefix: '/k/start/' }, { startRevision: revision }));
    expect(batch).toMatchObject({ resync: true });
    expect(brief(batch)).toEqual(['put a=2']);
  });

  it('to exactly where the watch starts, of which etcd may have forgotten deletes: it is told so', async () => {
    // Before 3.4.36 and 3.5.18 etcd tells such a watch of the put alone.
    await client.kv.put('/k/at/a', '1');
    const { revision } = await client.kv.txn({
      success: [{ delete: '/k/at/a' }, { put: { key: '/k/at/b', value: '1' } }],
    });
    await compactTo(client, revision);
    const range = { prefix: '/k/at/' };
    const batch = await next(far.client.watch(range, { startRevision: revision, resync: 'snapshot' }));
    expect(batch).toMatchObject({ resync: true });
    expect(brief(batch)).toEqual(['put b=1']);
    const refused = next(far.client.watch(range, { startRevision: revision, resync: 'error' }));
    const error = await refused.catch((reason: unknown) => reason);
    // Who goes on from what the error says is not refused again.
    const compactRevision = error instanceof CompactedError ? error.compactRevision : 0n;
    expect(compactRevision).toBe(revision + 1n);
    const { revision: after } = await client.kv.put('/k/at/c', '1');
    const options = { startRevision: compactRevision, resync: 'error' } as const;
    expect(await next(far.client.watch(range, options))).toMatchObject({ revision: after, resync: false });
  });

  it('to exactly the delete that the watch has to see next: the delete is not lost', async () => {
    // Before 3.4.36 and 3.5.18 etcd forgets it, and does not say so: https://github.com/etcd-io/etcd/issues/19179
    const watch = far.client.watch({ prefix: '/k/delete/' });
    await watch.ready;
    await client.kv.put('/k/delete/a', '1');
    const iterator = watch[Symbol.asyncIterator]();
    await iterator.next();
    await disconnect(far.proxy);
    const { revision } = await client.kv.delete('/k/delete/a');
    await compactTo(client, revision);
    await far.proxy.accept();
    expect(brief((await iterator.next()).value)).toEqual(['delete a=']);
    await watch.close();
  });

  it('during the list of a resync, again and again: it is listed anew', async () => {
    const prefix = '/k/during/';
    const keys = Array.from({ length: 3_000 }, (_, i) => `${prefix}${String(i).padStart(4, '0')}`);
    const { revision: start } = await client.kv.put(keys[0] ?? '', 'x');
    await putKeys(client, keys, 'x');
    const before = await client.kv.range({ prefix });
    await compactEverything();
    // Each page takes a while, and the next one asks for a revision that is gone by then.
    far.proxy.delay(150, 'toClient');
    let batch: WatchBatch | undefined;
    const later = new Map<string, bigint>();
    const first = next(far.client.watch({ prefix }, { startRevision: start })).then((value) => {
      batch = value;
    });
    for (let round = 0; round < 5 && batch === undefined; round++) {
      const { Range: asked } = await kvCalls(etcd.endpoint);
      const key = keys[round] ?? '';
      later.set(key, (await client.kv.put(key, `${round}`)).revision);
      await compactEverything();
      // The next round comes while the next page, or the first one of the next list, is on its way.
      await eventually(async () => batch !== undefined || (await kvCalls(etcd.endpoint)).Range > asked);
    }
    far.proxy.delay(0);
    await first;
    const revision = batch?.revision ?? 0n;
    expect(batch?.resync).toBe(true);
    expect(batch?.events.map(({ kv }) => [kv.key, kv.modRevision])).toEqual(
      before.kvs.map(({ key, modRevision }) => {
        const at = later.get(key) ?? 0n;
        return [key, at > 0n && at <= revision ? at : modRevision];
      }),
    );
  });

  it('with more watches behind it than etcd has room to tell: none is left out', async () => {
    // Before 3.4.31 and 3.5.13 those beyond the 128th skip to the present without a word:
    // https://github.com/etcd-io/etcd/pull/17555
    const keys = Array.from({ length: 1_000 }, (_, i) => `/k/many/${i}`);
    const watches = keys.map((key) => far.client.watch(key));
    await Promise.all(watches.map(({ ready }) => ready));
    await disconnect(far.proxy);
    await putKeys(client, keys, 'missed');
    await compactEverything();
    await far.proxy.accept();
    for (const watch of watches) {
      const batch = await next(watch);
      expect([batch.resync, ...batch.events.map(({ kv }) => kv.text())]).toEqual([true, 'missed']);
    }
  });
});

describe('a history that is not the one seen before', () => {
  /** Two clusters in the place of one: as if the first had been restored from an old backup. */
  async function restored() {
    const [now, backup] = [await startEtcd(), await startEtcd()];
    const [writer, old] = [await connect(now.connectOptions), await connect(backup.connectOptions)];
    await old.kv.put('/h/a', 'old');
    await old.kv.put('/h/only-old', 'x');
    await putMany(writer, '/filler', 100);
    const { revision } = await writer.kv.put('/h/a', 'new');
    await writer.kv.put('/h/only-new', 'x');
    const proxies = [await farFrom(now), await farFrom(backup)];
    const own = await connect({ endpoints: proxies.map(({ proxy }) => proxy.endpoint) });
    return {
      own,
      revision,
      old,
      /** Only the first, or only the second, is to be reached. */
      async show(index: 0 | 1) {
        for (const [i, each] of proxies.entries())
          await (i === index ? each.proxy.accept() : disconnect(each.proxy));
      },
      async [Symbol.asyncDispose]() {
        for (const each of [own, writer, old]) await each.close({ timeoutMs: 200 });
        for (const each of proxies) await each[Symbol.asyncDispose]();
        await Promise.all([now.stop(), backup.stop()]);
      },
    };
  }

  it('difference: what is otherwise now, whatever its revision; then it goes on', async () => {
    await using both = await restored();
    await both.show(0);
    const watch = both.own.watch({ prefix: '/h/' }, { startRevision: both.revision });
    const iterator = watch[Symbol.asyncIterator]();
    await iterator.next();
    await iterator.next();
    await both.show(1);
    const { value: batch } = await iterator.next();
    expect(batch.resync).toBe(true);
    expect(batch.revision).toBeLessThan(both.revision);
    expect(brief(batch)).toEqual(['delete only-new=', 'put a=old', 'put only-old=x']);
    const { revision } = await both.old.kv.put('/h/a', 'after');
    expect((await iterator.next()).value).toMatchObject({ revision, resync: false });
    await watch.close();
  });

  it('error: a CompactedError', async () => {
    await using both = await restored();
    await both.show(0);
    const watch = both.own.watch('/h/a', { startRevision: both.revision, resync: 'error' });
    const iterator = watch[Symbol.asyncIterator]();
    await iterator.next();
    await both.show(1);
    const error = await failure(iterator.next());
    expect(error).toBeInstanceOf(CompactedError);
    expect(String(error)).toContain('restored from a backup?');
  });
});
