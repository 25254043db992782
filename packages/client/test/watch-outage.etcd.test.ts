import { setTimeout as sleep } from 'node:timers/promises';
import { type Cluster, type EtcdServer, eventually, startCluster, startEtcd } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CoordClient, connect, type WatchBatch } from '../src/index.js';
import { type Far, farFrom } from './far.js';
import { SHORT_TOKENS, tokenExpired } from './token-expired.js';
import { next, putMany, readUntil, watchersOn, watchMessages } from './watch-support.js';

const decode = () => true;

describe('a line that goes dead without a reset', () => {
  let etcd: EtcdServer;
  let client: CoordClient;
  let far: Far;

  beforeAll(async () => {
    etcd = await startEtcd();
    client = await connect(etcd.connectOptions);
  });
  beforeEach(async () => {
    far = await farFrom(etcd);
  });
  afterEach(async () => {
    await far[Symbol.asyncDispose]();
  });
  afterAll(async () => {
    await client?.close();
    await etcd?.stop();
  });

  it('is noticed long before HTTP/2 pings would, and nothing is lost', async () => {
    const watch = far.client.watch({ prefix: '/o/dead/' });
    const cache = far.client.cache({ prefix: '/o/cached/' }, { decode });
    await Promise.all([watch.ready, cache.ready]);
    const startedAt = performance.now();
    far.proxy.blackholeOpen(); // new connections work
    const { revision } = await client.kv.put('/o/dead/a', '1');
    await eventually(() => cache.source === 'stale', { timeoutMs: 12_000 });
    expect(await next(watch)).toMatchObject({ revision });
    expect(performance.now() - startedAt).toBeLessThan(12_000); // 5 s; pings take 13
  }, 30_000);

  it('a cache says stale when nothing answers at all, and live when it does again', async () => {
    const cache = far.client.cache({ prefix: '/o/hole/' }, { decode });
    await cache.ready;
    far.proxy.blackhole();
    await eventually(() => cache.source === 'stale', { timeoutMs: 12_000 });
    const { revision } = await client.kv.put('/o/hole/a', '1');
    far.proxy.heal();
    await cache.waitFor(revision, { timeoutMs: 20_000 });
    await eventually(() => cache.source === 'live');
  }, 60_000);

  it('is given up once, and then given time: a large answer may be on a slow line', async () => {
    const watch = far.client.watch({ prefix: '/o/slow/' });
    await watch.ready;
    const loop = watch[Symbol.asyncIterator]();
    const before = far.proxy.accepted;
    far.proxy.blackholeOpen();
    await eventually(() => far.proxy.accepted > before, { timeoutMs: 12_000 });
    const first = await client.kv.put('/o/slow/a', '');
    expect((await loop.next()).value).toMatchObject({ revision: first.revision });
    const { accepted } = far.proxy;
    far.proxy.blackhole('toClient');
    const second = await client.kv.put('/o/slow/b', '');
    // The time itself counts: longer than silence was borne before, shorter than HTTP/2 pings bear it.
    await sleep(7_000);
    expect(far.proxy.accepted).toBe(accepted);
    far.proxy.heal();
    expect((await loop.next()).value).toMatchObject({ revision: second.revision });
  }, 60_000);

  it('is not suspected while it is only quiet', async () => {
    const before = await watchersOn(etcd);
    const watch = far.client.watch('/o/quiet');
    await watch.ready;
    const { accepted } = far.proxy;
    // A probe is a watch that is created and cancelled.
    const asked = await watchMessages(etcd);
    await eventually(async () => expect(await watchMessages(etcd)).toBeGreaterThanOrEqual(asked + 4), {
      timeoutMs: 30_000,
    });
    expect(far.proxy.accepted).toBe(accepted);
    await eventually(async () => expect(await watchersOn(etcd)).toBe(before + 1)); // probes leave nothing behind
    const { revision } = await client.kv.put('/o/quiet', 'x');
    expect(await next(watch)).toMatchObject({ revision });
  }, 30_000);

  it('is not suspected while the process itself was busy', async () => {
    const watch = far.client.watch('/o/busy');
    await watch.ready;
    const { accepted } = far.proxy;
    const until = performance.now() + 6_500;
    while (performance.now() < until) Math.sqrt(2);
    const { revision } = await client.kv.put('/o/busy', 'x', { timeoutMs: 20_000 });
    expect(await next(watch)).toMatchObject({ revision });
    expect(far.proxy.accepted).toBe(accepted);
  }, 60_000);
});

describe('with the members of a cluster', () => {
  let cluster: Cluster;
  let writer: CoordClient;
  let client: CoordClient;

  beforeAll(async () => {
    cluster = await startCluster({ size: 3 });
    writer = await connect(cluster.connectOptions);
  });
  beforeEach(async () => {
    client = await connect(cluster.connectOptions);
  });
  afterEach(async () => {
    await client.close({ timeoutMs: 500 });
  });
  afterAll(async () => {
    await writer?.close({ timeoutMs: 500 });
    await cluster?.stop();
  });

  /** Writes through trouble: what may have been written without an answer is written again. */
  async function put(key: string, value: string): Promise<bigint> {
    const { revision } = await eventually(() => writer.kv.put(key, value, { timeoutMs: 2_000 }), {
      timeoutMs: 30_000,
    });
    return revision;
  }

  /** What the watch delivered is what the history says, each revision once. */
  async function expectWholeHistory(prefix: string, batches: readonly WatchBatch[]): Promise<void> {
    const first = batches[0]?.revision ?? 0n;
    const last = batches.at(-1)?.revision ?? 0n;
    const truth = await readUntil(writer.watch({ prefix }, { startRevision: first }), last);
    expect(batches.map(({ revision }) => revision)).toEqual(truth.map(({ revision }) => revision));
  }

  const memberInUse = () => {
    const member = cluster.members.find(({ endpoint }) => endpoint === client.health.endpoint);
    if (member === undefined) throw new Error(`no member at ${client.health.endpoint}`);
    return member;
  };

  it('the member it is attached to is killed: it goes on at another', async () => {
    const prefix = '/o/killed/';
    const watch = client.watch({ prefix });
    await watch.ready;
    await put(`${prefix}a`, '1');
    const member = memberInUse();
    await member.kill();
    for (let i = 0; i < 5; i++) await put(`${prefix}${i}`, '');
    const last = await put(`${prefix}end`, '');
    await expectWholeHistory(prefix, await readUntil(watch, last));
    await member.restart();
  }, 90_000);

  it('the member it is attached to is frozen: it goes on at another', async () => {
    const prefix = '/o/frozen/';
    const watch = client.watch({ prefix });
    await watch.ready;
    await put(`${prefix}a`, '1');
    const member = memberInUse();
    await member.pause();
    const last = await put(`${prefix}end`, '');
    const batches = await readUntil(watch, last);
    await member.resume();
    await expectWholeHistory(prefix, batches);
  }, 90_000);

  it('the leader is killed: nothing is lost', async () => {
    const prefix = '/o/leader/';
    const watch = client.watch({ prefix });
    await watch.ready;
    const leader = await cluster.leader();
    await put(`${prefix}a`, '1');
    await leader.kill();
    const last = await put(`${prefix}end`, '');
    await expectWholeHistory(prefix, await readUntil(watch, last));
    await leader.restart();
  }, 90_000);

  it('the quorum is gone: it is told, and goes on when the members are back', async () => {
    // Without `hasleader` a member that is alone is silent, and so is etcd3’s watcher.
    const prefix = '/o/quorum/';
    const watch = client.watch({ prefix });
    const cache = client.cache({ prefix: '/o/quorum-cache/' }, { decode });
    await Promise.all([watch.ready, cache.ready]);
    const first = await put(`${prefix}a`, '1');
    const staying = memberInUse();
    const others = cluster.members.filter((member) => member !== staying);
    for (const member of others) await member.kill();
    await eventually(() => cache.source === 'stale', { timeoutMs: 30_000 });
    await Promise.all(others.map((member) => member.restart()));
    const last = await put(`${prefix}b`, '1');
    const batches = await readUntil(watch, last);
    expect(batches[0]?.revision).toBe(first);
    await expectWholeHistory(prefix, batches);
  }, 120_000);

  it('every member is restarted in turn while others write', async () => {
    const prefix = '/o/rolling/';
    const watch = client.watch({ prefix }, { maxBuffered: 16 });
    await watch.ready;
    let rolling = true;
    const writing = (async () => {
      for (let n = 0; rolling; n++) await put(`${prefix}${n % 7}`, String(n));
    })();
    for (const member of cluster.members) await member.restart();
    rolling = false;
    await writing;
    const last = await put(`${prefix}end`, '');
    await expectWholeHistory(prefix, await readUntil(watch, last));
  }, 120_000);
});

describe('with users and tokens', () => {
  let etcd: EtcdServer;
  let root: CoordClient;
  const closing: { close(): Promise<void> }[] = [];

  beforeAll(async () => {
    etcd = await startEtcd(SHORT_TOKENS);
    root = await connect(etcd.connectOptions);
    for (const args of [
      ['role', 'add', 'reader'],
      ['role', 'grant-permission', 'reader', 'readwrite', '/open/', '--prefix'],
      ['user', 'add', 'reader:secret'],
      ['user', 'grant-role', 'reader', 'reader'],
    ]) {
      await etcd.etcdctl(args);
    }
  });
  afterEach(async () => {
    for (const each of closing.splice(0).reverse()) await each.close();
  });
  afterAll(async () => {
    await root?.close();
    await etcd?.stop();
  });

  async function reader(): Promise<CoordClient> {
    const client = await connect({ ...etcd.connectOptions, username: 'reader', password: 'secret' });
    closing.push(client);
    return client;
  }

  it('an expired token: running watches go on, new ones attach', async () => {
    // etcd3: every watch of the client hangs for ever after one was created with an expired token.
    const client = await reader();
    const running = client.watch({ prefix: '/open/' });
    await running.ready;
    await tokenExpired();
    const created = client.watch('/open/token');
    await created.ready;
    const { revision } = await root.kv.put('/open/token', 'x');
    expect(await next(running)).toMatchObject({ revision });
    expect(await next(created)).toMatchObject({ revision });
  }, 60_000);

  it('etcd restarts and has forgotten all tokens, again and again: every watch goes on', async () => {
    const client = await reader();
    const watches = ['/open/r1', '/open/r2'].map((key) => client.watch(key));
    await Promise.all(watches.map(({ ready }) => ready));
    const loops = watches.map((watch) => watch[Symbol.asyncIterator]());
    for (let round = 0; round < 3; round++) {
      await etcd.kill();
      await etcd.restart();
      const success = ['/open/r1', '/open/r2'].map((key) => ({ put: { key, value: String(round) } }));
      const { revision } = await eventually(() => root.kv.txn({ success }), { timeoutMs: 20_000 });
      for (const loop of loops) expect((await loop.next()).value).toMatchObject({ revision });
    }
  }, 90_000);

  it('a watch without permission is refused alone, and the stream of the others is not touched', async () => {
    // etcd3: every later watch of the client hangs for ever.
    const client = await reader();
    const allowed = client.watch('/open/alone');
    await allowed.ready;
    const cache = client.cache('/open/alone', { decode });
    await cache.ready;
    let stale = false;
    const denied = Array.from({ length: 5 }, (_, i) => client.watch(`/closed/${i}`));
    const failures = Promise.all(denied.map(({ ready }) => ready.catch((error: Error) => error.name)));
    for (let settled = false; !settled; stale ||= cache.source !== 'live') {
      settled = await Promise.race([
        failures.then(() => true),
        new Promise<false>((r) => setImmediate(r, false)),
      ]);
    }
    expect(await failures).toEqual(Array.from({ length: 5 }, () => 'PermissionError'));
    expect(stale).toBe(false);
    const later = client.watch('/open/later');
    await later.ready;
    const { revision } = await root.kv.put('/open/alone', 'x');
    expect(await next(allowed)).toMatchObject({ revision });
  }, 60_000);

  it('a refusal that a read contradicts is not believed', async () => {
    // Before 3.4.22 and 3.5.6 etcd also says "permission denied" to a watch with an expired token.
    const far = await farFrom(etcd, { username: 'reader', password: 'secret', requestTimeoutMs: 20_000 });
    closing.push({ close: async () => await far[Symbol.asyncDispose]() });
    await far.client.watch('/open/first').ready;
    far.proxy.delay(2_000, 'toClient'); // the refusal is on its way while the permission is granted
    const before = await watchersOn(etcd);
    const watch = far.client.watch('/late-grant/a');
    const behind = far.client.watch('/open/behind'); // etcd has refused the one before when it has created this one
    await eventually(async () => expect(await watchersOn(etcd)).toBe(before + 1));
    await etcd.etcdctl(['role', 'grant-permission', 'reader', 'readwrite', '/late-grant/', '--prefix']);
    await behind.ready;
    far.proxy.delay(0);
    await watch.ready;
    const { revision } = await root.kv.put('/late-grant/a', 'x');
    expect(await next(watch)).toMatchObject({ revision });
  }, 60_000);

  it('a permission taken away ends that watch at its next attach, not the others', async () => {
    const far = await farFrom(etcd, { username: 'reader', password: 'secret' });
    closing.push({ close: async () => await far[Symbol.asyncDispose]() });
    await etcd.etcdctl(['role', 'grant-permission', 'reader', 'read', '/gone/', '--prefix']);
    const [kept, gone] = [far.client.watch('/open/kept'), far.client.watch('/gone/a')];
    await Promise.all([kept.ready, gone.ready]);
    await etcd.etcdctl(['role', 'revoke-permission', 'reader', '/gone/', '--prefix']);
    far.proxy.cut();
    await expect(next(gone)).rejects.toMatchObject({ name: 'PermissionError' });
    const { revision } = await root.kv.put('/open/kept', 'x');
    expect(await next(kept)).toMatchObject({ revision });
  }, 60_000);

  it('a backlog waits out an expired token', async () => {
    const far = await farFrom(etcd, { username: 'reader', password: 'secret' });
    closing.push({ close: async () => await far[Symbol.asyncDispose]() });
    const watch = far.client.watch({ prefix: '/open/backlog/' });
    await watch.ready;
    await far.proxy.refuse();
    far.proxy.cut();
    const revisions = await putMany(root, '/open/backlog/', 200);
    await tokenExpired();
    await far.proxy.accept();
    const batches = await readUntil(watch, revisions.at(-1) ?? 0n);
    expect(batches.map(({ revision }) => revision)).toEqual(revisions);
  }, 60_000);
});
