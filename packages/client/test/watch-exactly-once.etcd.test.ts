import { eventually } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import { createClient } from '../src/index.js';
import { disconnect, farOfEachTest } from './far.js';
import { FragileLine } from './fragile-line.js';
import { oneEtcd } from './one-etcd.js';
import { putMany, readUntil } from './watch-support.js';

// A transaction may be larger than a message of etcd's default size.
const { etcd, client } = await oneEtcd({
  args: ['--max-request-bytes=8000000', '--experimental-watch-progress-notify-interval=100ms'],
});
const far = farOfEachTest(etcd);

describe('each revision comes exactly once and in order', () => {
  it('when the line is cut again while the backlog is replayed', async () => {
    // etcd3 resumes at the store's revision instead of the last event's, and loses the rest.
    const watch = far.client.watch({ prefix: '/x/backlog/' }, { maxBuffered: 10_000 });
    await watch.ready;
    await disconnect(far.proxy);
    const revisions = await putMany(client, '/x/backlog/', 3_000);
    const cuts = [1, 400, 1_000, 1_001, 2_000, 2_900];
    await far.proxy.accept();
    const batches = await readUntil(watch, revisions.at(-1) ?? 0n, (count) => {
      if (cuts.includes(count)) far.proxy.cut();
    });
    expect(batches.map(({ revision }) => revision)).toEqual(revisions);
  });

  it('when every stretch of the line is slow and breaks', async () => {
    const { revision } = await client.kv.put('/x/slow/first', '');
    const revisions = [revision, ...(await putMany(client, '/x/slow/', 2_500))];
    const watch = far.client.watch({ prefix: '/x/slow/' }, { startRevision: revision });
    const iterator = watch[Symbol.asyncIterator]();
    const seen: bigint[] = [];
    while (seen.length < revisions.length) {
      // Cut as soon as something new has come through: the buffer then holds what came before.
      const { value } = await iterator.next();
      seen.push(value.revision);
      if (seen.length % 500 === 1) far.proxy.cut();
    }
    expect(seen).toEqual(revisions);
    await watch.close();
  });

  it('when progress reports come in between', async () => {
    const watch = far.client.watch({ prefix: '/x/progress/' });
    const idle = far.client.watch({ prefix: '/x/idle/' }); // only progress moves it on
    const cache = far.client.cache({ prefix: '/x/idle/' }, { decode: (kv) => kv });
    await Promise.all([watch.ready, idle.ready, cache.ready]);
    const revisions: bigint[] = [];
    for (let round = 0; round < 5; round++) {
      revisions.push(...(await putMany(client, '/x/progress/', 20)));
      await cache.waitFor(revisions.at(-1) ?? 0n, { timeoutMs: 10_000 }); // a report has come
      far.proxy.cut();
    }
    const { revision } = await client.kv.put('/x/idle/a', '');
    const batches = await readUntil(watch, revisions.at(-1) ?? 0n);
    expect(batches.map((batch) => batch.revision)).toEqual(revisions);
    expect((await readUntil(idle, revision)).map((batch) => batch.revision)).toEqual([revision]);
  });

  it('when etcd is killed and comes back', async () => {
    const watch = far.client.watch({ prefix: '/x/kill/' });
    await watch.ready;
    const first = await client.kv.put('/x/kill/a', '');
    await etcd.kill();
    await etcd.restart();
    const last = await eventually(() => client.kv.put('/x/kill/b', ''), { timeoutMs: 15_000 });
    const batches = await readUntil(watch, last.revision);
    expect(batches.map(({ revision }) => revision)).toEqual([first.revision, last.revision]);
  });

  it('and a break of the line is mended once, by one new stream', async () => {
    // etcd3 hears of every break twice, and backs off twice.
    const started = async () => {
      const metrics = await (await fetch(`${etcd.endpoint}/metrics`)).text();
      return Number(/^grpc_server_started_total{grpc_method="Watch",.*} (\d+)/m.exec(metrics)?.[1]);
    };
    const watch = far.client.watch('/x/once');
    await watch.ready;
    const loop = watch[Symbol.asyncIterator]();
    const before = await started();
    for (let cuts = 1; cuts <= 3; cuts++) {
      far.proxy.cut();
      const { revision } = await client.kv.put('/x/once', String(cuts));
      expect((await loop.next()).value).toMatchObject({ revision });
      expect(await started()).toBe(before + cuts);
    }
    await watch.close();
  });

  it.each([1, 4, 64])(
    'when the consumer is slow and only %i batches are held for it',
    async (maxBuffered) => {
      const prefix = `/x/small/${maxBuffered}/`;
      const watch = far.client.watch({ prefix }, { maxBuffered });
      await watch.ready;
      const revisions = await putMany(client, prefix, 1_500);
      const batches = await readUntil(watch, revisions.at(-1) ?? 0n, (count) => {
        if (count === 700) far.proxy.cut();
      });
      expect(batches.map(({ revision }) => revision)).toEqual(revisions);
    },
  );

  it('when it catches up on 12 MB', async () => {
    // etcd3 stops at gRPC's 4 MB and goes on after them.
    const watch = far.client.watch({ prefix: '/x/large/' }, { previous: true });
    await watch.ready;
    await disconnect(far.proxy);
    const revisions: bigint[] = [];
    for (let i = 0; i < 12; i++) {
      revisions.push((await client.kv.put(`/x/large/${i % 6}`, Buffer.alloc(1_000_000, i))).revision);
    }
    await far.proxy.accept();
    const batches = await readUntil(watch, revisions.at(-1) ?? 0n);
    expect(batches.map(({ revision }) => revision)).toEqual(revisions);
    expect(batches.map(({ events }) => [events[0]?.kv.value[0], events[0]?.previous?.value[0]])).toEqual(
      Array.from({ length: 12 }, (_, i) => [i, i < 6 ? undefined : i - 6]),
    );
    await client.kv.delete({ prefix: '/x/large/' });
  });
});

describe('a revision comes whole', () => {
  const keys = Array.from({ length: 6 }, (_, i) => `/x/whole/${i}`);
  const transaction = (byte: number) =>
    client.kv.txn({ success: keys.map((key) => ({ put: { key, value: Buffer.alloc(1_000_000, byte) } })) });

  it('though it is larger than 4 MB and arrives in fragments', async () => {
    await using watch = far.client.watch({ prefix: '/x/whole/' });
    await watch.ready;
    const { revision } = await transaction(1);
    const [batch] = await readUntil(watch, revision);
    expect(batch?.events.map(({ key }) => key)).toEqual(keys);
  });

  it('though the line is cut within it, at one byte after another', async () => {
    const { revision: start } = await transaction(2);
    const { revision: end } = await transaction(3);
    const budgets = [
      500, 60_000, 1_400_000, 1_600_000, 3_000_000, 5_900_000, 6_100_000, 7_000_000, 11_900_000,
    ];
    await using line = await FragileLine.start(
      etcd.target,
      () => budgets.shift() ?? Number.POSITIVE_INFINITY,
    );
    await using own = createClient({ endpoints: [line.endpoint] });
    const watch = own.watch({ prefix: '/x/whole/' }, { startRevision: start });
    const batches = await readUntil(watch, end);
    expect(batches.map(({ revision, events }) => [revision, events.map(({ kv }) => kv.value[0])])).toEqual([
      [start, [2, 2, 2, 2, 2, 2]],
      [end, [3, 3, 3, 3, 3, 3]],
    ]);
    expect(line.cuts).toBeGreaterThan(3);
    await client.kv.delete({ prefix: '/x/whole/' });
  });
});
