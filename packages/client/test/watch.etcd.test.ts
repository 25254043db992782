import { type EtcdServer, eventually, startEtcd, startProxy, type Proxy as TcpProxy } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  AbortedError,
  ClosedError,
  CompactedError,
  type CoordClient,
  connect,
  createClient,
  ValidationError,
  type Watch,
  type WatchBatch,
} from '../src/index.js';

let etcd: EtcdServer;
let client: CoordClient;
let proxy: TcpProxy;
/** The client that watches, behind the proxy. */
let far: CoordClient;

beforeAll(async () => {
  etcd = await startEtcd();
  client = await connect(etcd.connectOptions);
});
beforeEach(async () => {
  proxy = await startProxy({ target: etcd.endpoint });
  far = await connect({ endpoints: [proxy.endpoint] });
});
afterEach(async () => {
  proxy.heal();
  await far.close({ timeoutMs: 500 });
  await proxy.close();
});
afterAll(async () => {
  await client?.close();
  await etcd?.stop();
});

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    (value) => expect.fail(`resolved: ${String(value)}`),
    (error: unknown) => error,
  );
}

/** Reads batches until the last revision is there; `onBatch` may make trouble meanwhile. */
async function readUntil(
  watch: Watch,
  revision: bigint,
  onBatch: (count: number) => void = () => undefined,
): Promise<WatchBatch[]> {
  const batches: WatchBatch[] = [];
  for await (const batch of watch) {
    batches.push(batch);
    onBatch(batches.length);
    if (batch.revision >= revision) break;
  }
  return batches;
}

const next = async (watch: Watch): Promise<WatchBatch> => {
  const result = await watch[Symbol.asyncIterator]().next();
  return result.value;
};

/** Many revisions, quickly. */
async function putMany(prefix: string, count: number): Promise<bigint[]> {
  const revisions: bigint[] = [];
  for (let i = 0; i < count; i += 100) {
    const some = Array.from({ length: Math.min(100, count - i) }, (_, j) =>
      client.kv.put(`${prefix}${i + j}`, `${i + j}`, { timeoutMs: 30_000 }),
    );
    revisions.push(...(await Promise.all(some)).map(({ revision }) => revision));
  }
  return revisions.sort((a, b) => Number(a - b));
}

async function compactTo(revision: bigint): Promise<void> {
  await client.etcd3.kv.compact({ revision: revision.toString(), physical: true });
}

async function watchersOnServer(): Promise<number> {
  const metrics = await (await fetch(`${etcd.endpoint}/metrics`)).text();
  return Number(/^etcd_debugging_mvcc_watcher_total (\d+)/m.exec(metrics)?.[1]);
}

describe('a watch', () => {
  it('delivers what happens after ready, one batch a transaction', async () => {
    const watch = client.watch({ prefix: '/w/txn/' });
    await watch.ready;
    const { revision } = await client.kv.txn({
      success: ['a', 'b', 'c'].map((key) => ({ put: { key: `/w/txn/${key}`, value: key } })),
    });
    const deleted = await client.kv.delete('/w/txn/b');
    const [first, second] = await readUntil(watch, deleted.revision);
    expect(first).toMatchObject({ revision, resync: false });
    expect(first?.events.map(({ type, key, kv }) => [type, key, kv.text()])).toEqual([
      ['put', '/w/txn/a', 'a'],
      ['put', '/w/txn/b', 'b'],
      ['put', '/w/txn/c', 'c'],
    ]);
    expect(second?.events).toMatchObject([
      { type: 'delete', key: '/w/txn/b', kv: { modRevision: deleted.revision } },
    ]);
    expect(second?.events[0]).not.toHaveProperty('previous');
  });

  it('filters and previous values work, with every resync mode', async () => {
    for (const resync of ['difference', 'snapshot', 'error'] as const) {
      const { revision: start } = await client.kv.put('/w/filter', '1');
      await client.kv.put('/w/filter', '2');
      const { revision } = await client.kv.delete('/w/filter');
      const read = async (options: Parameters<typeof client.watch>[1]) => {
        const watch = client.watch('/w/filter', { startRevision: start, previous: true, resync, ...options });
        const marker = options?.ignore === 'delete' ? start + 1n : revision;
        const batches = await readUntil(watch, marker);
        return batches.flatMap(({ events }) => events.map((e) => `${e.type}:${e.previous?.text() ?? ''}`));
      };
      expect(await read({})).toEqual(['put:', 'put:1', 'delete:2']);
      expect(await read({ ignore: 'put' })).toEqual(['delete:2']);
      expect(await read({ ignore: 'delete' })).toEqual(['put:', 'put:1']);
    }
  });

  it('refuses bad options before anything is sent', () => {
    const options = { startRevision: -1n, maxBuffered: 0 };
    expect(() => client.watch('a', options)).toThrow(ValidationError);
    expect(() => client.watch('')).toThrow(ValidationError);
    expect(() => client.watch('a', { signal: AbortSignal.abort() })).toThrow(AbortedError);
  });

  it('ends with an AbortedError, on break, on close, and twice', async () => {
    const before = await watchersOnServer();
    const controller = new AbortController();
    const aborted = client.watch('/w/end', { signal: controller.signal });
    const broken = client.watch('/w/end');
    const closed = client.watch('/w/end');
    const early = client.watch('/w/end');
    await early.close(); // before it was created
    expect(await failure(early.ready)).toBeInstanceOf(ClosedError);
    await Promise.all([aborted.ready, broken.ready, closed.ready]);
    await eventually(async () => expect(await watchersOnServer()).toBe(before + 1)); // they share one
    const loops = [aborted, closed].map(async (watch) => {
      for await (const batch of watch) expect.fail(`got ${batch.revision}`);
      return 'ended';
    });
    const abortedLoop = failure(loops[0] ?? Promise.resolve());
    controller.abort();
    await closed.close();
    await closed.close();
    expect(await abortedLoop).toBeInstanceOf(AbortedError);
    expect(await loops[1]).toBe('ended');
    const { revision } = await client.kv.put('/w/end', 'x');
    await readUntil(broken, revision); // breaks
    await eventually(async () => expect(await watchersOnServer()).toBe(before));
  });

  it('ends when its client closes', async () => {
    const own = await connect(etcd.connectOptions);
    const watch = own.watch('/w/client');
    const loop = (async () => {
      for await (const batch of watch) expect.fail(`got ${batch.revision}`);
      return 'ended';
    })();
    await watch.ready;
    await own.close();
    expect(await loop).toBe('ended');
  });

  it('2,000 of them share one stream and come back after a cut', async () => {
    const watches = Array.from({ length: 2_000 }, (_, i) => far.watch(`/w/many/${i}`));
    await Promise.all(watches.map(({ ready }) => ready));
    expect(proxy.accepted).toBeLessThanOrEqual(3); // one connection for each service, not for each watch
    proxy.cut();
    await putMany('/w/many/', 2_000);
    const batches = await Promise.all(watches.map(next));
    batches.forEach(({ events }, i) => {
      expect(events[0]?.kv.text()).toBe(String(i));
    });
    await Promise.all(watches.map((watch) => watch.close()));
  });
});

describe('a watch that is cut off', () => {
  it('replays a backlog exactly once and in order, over cuts in the middle of it', async () => {
    const watch = far.watch({ prefix: '/w/backlog/' }, { maxBuffered: 10_000 });
    await watch.ready;
    await proxy.refuse();
    proxy.cut();
    const revisions = await putMany('/w/backlog/', 3_000);
    const cuts = [1, 400, 1_000, 1_001, 2_000, 2_900];
    await proxy.accept();
    const batches = await readUntil(watch, revisions.at(-1) ?? 0n, (count) => {
      if (cuts.includes(count)) proxy.cut();
    });
    expect(batches.map(({ revision }) => revision)).toEqual(revisions);
  });

  it('replays exactly though every stretch of the line is slow and breaks', async () => {
    const { revision } = await client.kv.put('/w/slow/first', '');
    const revisions = [revision, ...(await putMany('/w/slow/', 2_500))];
    const watch = far.watch({ prefix: '/w/slow/' }, { startRevision: revision });
    const iterator = watch[Symbol.asyncIterator]();
    const seen: bigint[] = [];
    while (seen.length < revisions.length) {
      // Cut as soon as something new has come through: the buffer then holds what came before.
      const { value } = await iterator.next();
      seen.push(value.revision);
      if (seen.length % 500 === 1) proxy.cut();
    }
    expect(seen).toEqual(revisions);
    await watch.close();
  });

  it('catches up on more than 4 MiB of large values', async () => {
    const watch = far.watch({ prefix: '/w/large/' }, { previous: true });
    await watch.ready;
    await proxy.refuse();
    proxy.cut();
    const revisions: bigint[] = [];
    for (let i = 0; i < 8; i++) {
      revisions.push((await client.kv.put(`/w/large/${i % 4}`, Buffer.alloc(1_000_000, i))).revision);
    }
    await proxy.accept();
    const batches = await readUntil(watch, revisions.at(-1) ?? 0n);
    expect(batches.map(({ events }) => [events[0]?.kv.value[0], events[0]?.previous?.value[0]])).toEqual([
      [0, undefined],
      [1, undefined],
      [2, undefined],
      [3, undefined],
      [4, 0],
      [5, 1],
      [6, 2],
      [7, 3],
    ]);
    await client.kv.delete({ prefix: '/w/large/' });
  });

  it('survives kill -9 and a restart', async () => {
    const watch = far.watch({ prefix: '/w/kill/' });
    await watch.ready;
    const first = await client.kv.put('/w/kill/a', '');
    await etcd.kill();
    await etcd.restart();
    const last = await eventually(() => client.kv.put('/w/kill/b', ''), { timeoutMs: 15_000 });
    const batches = await readUntil(watch, last.revision);
    expect(batches.map(({ revision }) => revision)).toEqual([first.revision, last.revision]);
  });

  it('a slow consumer with a small buffer loses nothing', async () => {
    const watch = far.watch({ prefix: '/w/small/' }, { maxBuffered: 4 });
    await watch.ready;
    const revisions = await putMany('/w/small/', 1_500);
    const batches = await readUntil(watch, revisions.at(-1) ?? 0n, (count) => {
      if (count === 700) proxy.cut();
    });
    expect(batches.map(({ revision }) => revision)).toEqual(revisions);
  });
});

describe('compaction before the watch caught up', () => {
  /** A watch that knows a, b, c; meanwhile b changed, c went, d came; and all of that is compacted. */
  async function behind(prefix: string, options: Parameters<CoordClient['watch']>[1]) {
    const { revision } = await client.kv.put(`${prefix}a`, '1');
    await client.kv.put(`${prefix}b`, '1');
    const { revision: known } = await client.kv.put(`${prefix}c`, '1');
    const watch = far.watch({ prefix }, { startRevision: revision, ...options });
    const iterator = watch[Symbol.asyncIterator]();
    if (options?.ignore !== 'put') for (let i = 0; i < 3; i++) await iterator.next();
    else {
      await client.kv.put(`${prefix}e`, '1');
      await client.kv.delete(`${prefix}e`);
      await iterator.next();
    }
    await proxy.refuse();
    proxy.cut();
    await client.kv.put(`${prefix}b`, '2');
    await client.kv.delete(`${prefix}c`);
    const { revision: last } = await client.kv.put(`${prefix}d`, '1');
    await compactTo(last);
    await proxy.accept();
    return { watch, iterator, known, last };
  }
  const show = ({ events }: WatchBatch) =>
    events.map((e) => `${e.type} ${e.key.slice(-1)}=${e.kv.text()}`).sort();

  it('difference: what changed, with deletes that carry the revision of the resync', async () => {
    const { watch, iterator, last } = await behind('/w/diff/', {});
    const { value: batch } = await iterator.next();
    expect(batch).toMatchObject({ resync: true });
    expect(show(batch)).toEqual(['delete c=', 'put b=2', 'put d=1']);
    expect(batch.revision).toBeGreaterThanOrEqual(last);
    expect(batch.events.find(({ type }: { type: string }) => type === 'delete')?.kv.modRevision).toBe(
      batch.revision,
    );
    const after = await client.kv.put('/w/diff/e', '1');
    expect((await iterator.next()).value).toMatchObject({ revision: after.revision, resync: false });
    await watch.close();
  });

  it('difference: a watch that ignores puts still finds the deletes', async () => {
    const { watch, iterator } = await behind('/w/diff-deletes/', { ignore: 'put' });
    const { value: batch } = await iterator.next();
    expect(show(batch)).toEqual(['delete c=']);
    await watch.close();
  });

  it('snapshot: every key; and of an empty range, a batch without any', async () => {
    const { watch, iterator } = await behind('/w/snap/', { resync: 'snapshot' });
    expect(show((await iterator.next()).value)).toEqual(['put a=1', 'put b=2', 'put d=1']);
    await proxy.refuse();
    proxy.cut();
    const { revision } = await client.kv.delete({ prefix: '/w/snap/' });
    await client.kv.put('/w/other', '');
    await compactTo((await client.kv.put('/w/other', '')).revision);
    await proxy.accept();
    const { value: empty } = await iterator.next();
    expect(empty).toMatchObject({ resync: true, events: [] });
    expect(empty.revision).toBeGreaterThan(revision);
    await watch.close();
  });

  it('error: throws a CompactedError, and other watches go on', async () => {
    const neighbour = far.watch('/w/neighbour');
    await neighbour.ready;
    const { iterator, last } = await behind('/w/error/', { resync: 'error' });
    const error = await failure(iterator.next());
    expect(error).toBeInstanceOf(CompactedError);
    expect(error).toMatchObject({ compactRevision: last });
    const { revision } = await client.kv.put('/w/neighbour', 'x');
    expect(await next(neighbour)).toMatchObject({ revision });
  });

  it('a start revision that is compacted already is resynced, too', async () => {
    const { revision } = await client.kv.put('/w/start/a', '1');
    await compactTo((await client.kv.put('/w/start/a', '2')).revision);
    const batch = await next(far.watch({ prefix: '/w/start/' }, { startRevision: revision }));
    expect(batch).toMatchObject({ resync: true });
    expect(show(batch)).toEqual(['put a=2']);
  });
});

describe('a watch that comes while the stream of an abandoned one is being opened', () => {
  it('is attached, at whichever moment it comes', async () => {
    // A stream takes some microtasks to open: the second watch comes after each number of them.
    for (let turns = 0; turns < 40; turns++) {
      await using fresh = createClient(etcd.connectOptions);
      const abandoned = fresh.watch('nobody-waits');
      await abandoned.close();
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      await using late = fresh.watch('somebody-waits');
      await expect(late.ready).resolves.toBeUndefined();
    }
  });
});
