import { eventually } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import type { WatchBatch } from '../src/index.js';
import { disconnect, farOfEachTest } from './far.js';
import { oneEtcd } from './one-etcd.js';
import { next, putKeys, readUntil, watchersOn } from './watch-support.js';

const { etcd, client } = await oneEtcd();
const far = farOfEachTest(etcd);

/**
 * Runs it and tells for how long the event loop was held up at most, in milliseconds of computing
 * time: what this process did between two timers, not what others did on a busy machine.
 */
async function longestStall(run: () => Promise<void>): Promise<number> {
  let longest = 0;
  let turns = 0;
  let before = process.cpuUsage();
  const timer = setInterval(() => {
    const { user, system } = process.cpuUsage(before);
    longest = Math.max(longest, (user + system) / 1_000);
    before = process.cpuUsage();
    turns++;
  }, 5);
  await run();
  const counted = turns;
  await eventually(() => turns > counted); // a stall at the end is counted once the loop turns again
  clearInterval(timer);
  return Math.round(longest);
}

describe('10,000 watches of one client', () => {
  const MANY = 10_000;
  /** Measured: 17 to 91, and 212 where everything is written in one go. */
  const STALL_MS = 150;
  const keys = Array.from({ length: MANY }, (_, i) => `/m/${i}`);

  it('attach, receive, come back after a cut and detach on one stream, and leave the event loop alone', async () => {
    const before = await watchersOn(etcd);
    const watches = keys.map((key) => far.client.watch(key));
    const loops = watches.map((watch) => watch[Symbol.asyncIterator]());
    const receive = async (value: string) => {
      const batches: Promise<IteratorResult<WatchBatch>>[] = loops.map((loop) => loop.next());
      await putKeys(client, keys, value);
      const got = (await Promise.all(batches)).map(({ value: batch }) => batch.events[0]);
      expect(got.filter(({ key, kv }, i) => key !== keys[i] || kv.text() !== value)).toEqual([]);
    };
    const attach = await longestStall(async () => {
      await Promise.all(watches.map(({ ready }) => ready));
    });
    expect(await watchersOn(etcd)).toBe(before + MANY);
    expect(far.proxy.accepted).toBeLessThanOrEqual(3); // one connection for each service, not for each watch
    const event = await longestStall(() => receive('1'));
    const cut = await longestStall(async () => {
      far.proxy.cut();
      await receive('2');
    });
    const closing = watches.map((watch) => watch.close());
    const detach = await longestStall(async () => {
      await Promise.all(closing);
      await eventually(async () => expect(await watchersOn(etcd)).toBe(before), { timeoutMs: 20_000 });
    });
    const stalls = { attach, event, cut, detach };
    console.log('longest stalls of the event loop, ms', stalls);
    for (const stall of Object.values(stalls)) expect(stall).toBeLessThan(STALL_MS);
  }, 120_000);

  it('of one range share one watch on the server, and each gets everything', async () => {
    const before = await watchersOn(etcd);
    const watches = keys.map(() => far.client.watch({ prefix: '/same/' }));
    await Promise.all(watches.map(({ ready }) => ready));
    await eventually(async () => expect(await watchersOn(etcd)).toBe(before + 1));
    const revision = await putKeys(client, ['/same/a', '/same/b'], 'x');
    for (const batch of await Promise.all(watches.map(next))) {
      expect([batch.revision, batch.events.length]).toEqual([revision, 2]);
    }
    await Promise.all(watches.map((watch) => watch.close()));
    await eventually(async () => expect(await watchersOn(etcd)).toBe(before));
  }, 60_000);
});

describe('watches that share one watch on the server', () => {
  it('a late one gets nothing older than its attach, and everything after', async () => {
    const before = await watchersOn(etcd);
    const first = far.client.watch('/late/a');
    await first.ready;
    far.proxy.delay(100, 'toClient'); // the event is on its way to the first one when the second comes
    const old = await client.kv.put('/late/a', 'old');
    const late = far.client.watch('/late/a');
    await late.ready;
    const { revision } = await client.kv.put('/late/a', 'new');
    expect((await readUntil(late, revision)).map((batch) => batch.revision)).toEqual([revision]);
    expect((await readUntil(first, revision)).map((batch) => batch.revision)).toEqual([
      old.revision,
      revision,
    ]);
    await eventually(async () => expect(await watchersOn(etcd)).toBe(before));
  });

  it('one that comes while the first is being attached gets nothing older either', async () => {
    const before = await watchersOn(etcd);
    far.proxy.delay(300, 'toClient'); // the answer to the first is on its way when the second comes
    const first = far.client.watch('/late/b');
    await eventually(async () => expect(await watchersOn(etcd)).toBe(before + 1));
    await client.kv.put('/late/b', 'old');
    const late = far.client.watch('/late/b');
    await late.ready;
    const { revision } = await client.kv.put('/late/b', 'new');
    expect((await readUntil(late, revision)).map((batch) => batch.revision)).toEqual([revision]);
    expect(await readUntil(first, revision)).toHaveLength(2);
  });

  it('those that start in the past catch up by themselves, then join, and miss or repeat nothing', async () => {
    const before = await watchersOn(etcd);
    const revisions: bigint[] = [];
    const put = async () =>
      revisions.push((await client.kv.put('/join/a', String(revisions.length))).revision);
    for (let i = 0; i < 20; i++) await put();
    await client.kv.put('/elsewhere', ''); // so that the first one is ahead of them until the next event
    const first = far.client.watch('/join/a');
    await first.ready;
    // Each has a watch of its own; the next event reaches some of them before the first one, some after.
    const past = revisions.map((startRevision) => far.client.watch('/join/a', { startRevision }));
    await Promise.all(past.map(({ ready }) => ready));
    // They join at events; etcd serves those that catch up every 100 ms.
    const joined = async () => {
      await put();
      expect(await watchersOn(etcd)).toBe(before + 1);
    };
    await eventually(joined, { timeoutMs: 10_000, intervalMs: 100 });
    await put();
    const last = revisions.at(-1) ?? 0n;
    for (const [i, watch] of past.entries()) {
      expect((await readUntil(watch, last)).map(({ revision }) => revision)).toEqual(revisions.slice(i));
    }
    expect((await readUntil(first, last)).map(({ revision }) => revision)).toEqual(revisions.slice(20));
  });

  it('a slow one that is full leaves, keeps its place, and the others do not wait for it', async () => {
    const before = await watchersOn(etcd);
    const fast = far.client.watch('/full/a');
    const slow = far.client.watch('/full/a', { maxBuffered: 3 });
    await Promise.all([fast.ready, slow.ready]);
    await eventually(async () => expect(await watchersOn(etcd)).toBe(before + 1));
    const revisions: bigint[] = [];
    const loop = fast[Symbol.asyncIterator]();
    for (let i = 0; i < 20; i++) {
      revisions.push((await client.kv.put('/full/a', String(i))).revision);
      expect((await loop.next()).value.revision).toBe(revisions.at(-1));
    }
    const seen = (await readUntil(slow, revisions.at(-1) ?? 0n)).map((batch) => batch.revision);
    expect(seen).toEqual(revisions);
    await fast.close();
  });

  it('one that nobody reads holds what it was told to hold, and costs etcd nothing', async () => {
    const before = await watchersOn(etcd);
    const watch = far.client.watch({ prefix: '/unread/' }, { maxBuffered: 5 });
    await watch.ready;
    await eventually(async () => expect(await watchersOn(etcd)).toBe(before + 1));
    let last = 0n;
    for (let i = 0; i < 10; i++) last = (await client.kv.put(`/unread/${i}`, '')).revision;
    await eventually(async () => expect(await watchersOn(etcd)).toBe(before));
    expect(await readUntil(watch, last)).toHaveLength(10);
  });

  it('the first one may go, the others stay', async () => {
    const before = await watchersOn(etcd);
    const [first, second] = [far.client.watch('/stay/a'), far.client.watch('/stay/a')];
    await Promise.all([first.ready, second.ready]);
    await first.close();
    const { revision } = await client.kv.put('/stay/a', 'x');
    expect(await next(second)).toMatchObject({ revision });
    await second.close();
    await eventually(async () => expect(await watchersOn(etcd)).toBe(before));
  });

  it('other options are another watch', async () => {
    await client.kv.put('/other/a', '0');
    const plain = far.client.watch('/other/a');
    const previous = far.client.watch('/other/a', { previous: true });
    const deletes = far.client.watch('/other/a', { ignore: 'put', resync: 'error' });
    await Promise.all([plain.ready, previous.ready, deletes.ready]);
    await client.kv.put('/other/a', '1');
    const { revision } = await client.kv.delete('/other/a');
    expect((await next(plain)).events[0]).not.toHaveProperty('previous');
    expect((await next(previous)).events[0]?.previous?.text()).toBe('0');
    expect(await next(deletes)).toMatchObject({ revision });
    for (const watch of [plain, previous, deletes]) await watch.close();
  });

  it('come back together after a cut, those that lag too', async () => {
    const all = { fast: far.client.watch('/cut/a'), slow: far.client.watch('/cut/a', { maxBuffered: 2 }) };
    await Promise.all([all.fast.ready, all.slow.ready]);
    const revisions: bigint[] = [];
    for (let i = 0; i < 10; i++) revisions.push((await client.kv.put('/cut/a', String(i))).revision);
    await disconnect(far.proxy);
    for (let i = 0; i < 10; i++) revisions.push((await client.kv.put('/cut/a', String(i))).revision);
    await far.proxy.accept();
    const late = far.client.watch('/cut/a');
    await late.ready;
    revisions.push((await client.kv.put('/cut/a', 'end')).revision);
    for (const watch of Object.values(all)) {
      const seen = (await readUntil(watch, revisions.at(-1) ?? 0n)).map((batch) => batch.revision);
      expect(seen).toEqual(revisions);
    }
    expect(await next(late)).toMatchObject({ revision: revisions.at(-1) });
    await late.close();
  });
});
