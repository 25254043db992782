import { getEventListeners } from 'node:events';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { eventually, startCluster, startProxy } from '@coord/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { connect, createClient } from '../src/index.js';
import { farOfEachTest } from './far.js';
import { oneEtcd } from './one-etcd.js';
import { countRpcs } from './rpc-count.js';

const { etcd, client: near } = await oneEtcd();
const far = farOfEachTest(etcd);

afterEach(async () => {
  await near.kv.delete({ prefix: '/' });
});

interface Failure {
  readonly name: string;
  readonly outcome?: string;
  readonly timeoutMs?: number;
  readonly message: string;
}

function failures(calls: readonly Promise<unknown>[]): Promise<(Failure | undefined)[]> {
  return Promise.all(
    calls.map((call) =>
      call.then(
        () => undefined,
        (error: Failure) => error,
      ),
    ),
  );
}

const many = Array.from({ length: 40 }, (_, i) => i);

describe('a lost answer to a batch', () => {
  it('is an unknown outcome for each of its writes, and nothing is applied twice', async () => {
    far.proxy.blackhole('toClient');
    const errors = failures(many.map((i) => far.client.kv.put(`/lost/${i}`, 'x')));
    await eventually(async () => (await near.kv.range({ prefix: '/lost/' })).count === many.length);
    far.proxy.cut();
    far.proxy.heal();
    for (const error of await errors)
      expect(error).toMatchObject({ name: 'ConnectionError', outcome: 'unknown' });
    expect((await errors)[20]?.message).toMatch(/^put on/);
    await far.client.kv.get('/lost/0');
    const { kvs } = await near.kv.range({ prefix: '/lost/' });
    expect(kvs.map(({ version }) => version)).toEqual(many.map(() => 1));
  });

  it('is made up for when its writes may be repeated, and for reads', async () => {
    await near.kv.put('/again/read', 'x');
    far.proxy.blackhole('toClient');
    const writes = many.map((i) => far.client.kv.put(`/again/${i}`, 'x', { idempotent: true }));
    const reads = many.map(() => far.client.kv.get('/again/read'));
    await eventually(async () => (await near.kv.range({ prefix: '/again/' })).count === many.length + 1);
    far.proxy.cut();
    far.proxy.heal();
    expect(await failures(writes)).toEqual(many.map(() => undefined));
    expect((await Promise.all(reads)).every((kv) => kv?.text() === 'x')).toBe(true);
  });

  it('is not made up for where its caller has been told that the call is over', async () => {
    far.proxy.blackhole('toClient');
    const controller = new AbortController();
    const timeoutMs = 60_000; // the first attempt has a quarter of it
    const calls = many.map((i) => {
      const own = i === 31 ? { signal: controller.signal } : i === 32 ? { timeoutMs: 2_500 } : {};
      return far.client.kv.put(`/over/${i}`, 'x', { idempotent: true, timeoutMs, ...own });
    });
    const errors = failures(calls);
    await eventually(async () => (await near.kv.range({ prefix: '/over/' })).count === many.length);
    controller.abort();
    await expect(calls[31]).rejects.toMatchObject({ name: 'AbortedError', outcome: 'unknown' });
    await expect(calls[32]).rejects.toMatchObject({ name: 'TimeoutError', outcome: 'unknown' });
    for (const i of [31, 32]) await near.kv.delete(`/over/${i}`);
    far.proxy.cut();
    far.proxy.heal();
    const others = (await errors).filter((_, i) => i !== 31 && i !== 32);
    expect(others.filter((error) => error !== undefined)).toEqual([]);
    const { kvs } = await near.kv.range({ prefix: '/over/' });
    // All others are repeated.
    expect(kvs.map(({ key, version }) => [key, version]).sort()).toEqual(
      many
        .filter((i) => i !== 31 && i !== 32)
        .map((i) => [`/over/${i}`, 2])
        .sort(),
    );
  });

  it('leaves the outcome unknown where the repetition is refused: the first attempt may have been applied', async () => {
    const session = await near.session({ ttlMs: 60_000 });
    const { leaseId } = session;
    far.proxy.blackhole('toClient');
    const options = (i: number) => ({ idempotent: true, leaseId: i % 10 === 5 ? leaseId : 0n });
    const errors = failures(many.map((i) => far.client.kv.put(`/leased/${i}`, 'x', options(i))));
    await eventually(async () => (await near.kv.range({ prefix: '/leased/' })).count === many.length);
    await session.close();
    far.proxy.cut();
    far.proxy.heal();
    expect((await errors).map((error) => error && [error.name, error.outcome])).toEqual(
      many.map((i) => (i % 10 === 5 ? ['NotFoundError', 'unknown'] : undefined)),
    );
  });

  it('lets a later call on the same key pass: an unknown outcome has no place in the order', async () => {
    far.proxy.blackhole('toClient');
    const lost = failures(many.map((i) => far.client.kv.put(`/pass/${i}`, '1', { timeoutMs: 1_000 })));
    const later = far.client.kv.put('/pass/30', '2', { timeoutMs: 20_000 });
    for (const error of await lost) expect(error).toMatchObject({ name: 'TimeoutError', outcome: 'unknown' });
    far.proxy.heal();
    await later;
    expect((await near.kv.get('/pass/30'))?.text()).toBe('2');
  });
});

/** A client with two lines, both of them open. */
async function twoLines() {
  const lines = [await startProxy({ target: etcd.endpoint }), await startProxy({ target: etcd.endpoint })];
  const client = await connect({ endpoints: lines.map(({ endpoint }) => endpoint) });
  await eventually(() => expect(lines.map(({ connections }) => connections)).toEqual([1, 1]));
  const inUse = lines.find(({ endpoint }) => endpoint === client.health.endpoint);
  const other = lines.find((line) => line !== inUse);
  if (inUse === undefined || other === undefined) throw new Error('no such line');
  const close = async () => {
    await client.close();
    for (const line of lines) await line.close();
  };
  return { client, inUse, other, close };
}

describe('a member that does not answer', () => {
  it('is left in time for who has little of it, whoever shares the request', async () => {
    const second = await startProxy({ target: etcd.endpoint });
    const both = await connect({ endpoints: [far.proxy.endpoint, second.endpoint] });
    (both.health.endpoint === far.proxy.endpoint ? far.proxy : second).blackhole();
    const reads = [both.kv.get('/hasty', { timeoutMs: 3_000 }), both.kv.get('/calm', { timeoutMs: 12_000 })];
    expect(await failures(reads)).toEqual([undefined, undefined]);
    await both.close();
    await second.close();
  });

  it('is left by a write with little time also where the first attempt got nowhere', async () => {
    const { client, inUse, other, close } = await twoLines();
    await inUse.refuse();
    inUse.cut();
    other.blackhole(); // connected, and silent from here on
    const [hasty, calm] = [2_000, 60_000].map((timeoutMs, i) =>
      client.kv.put(`/hasty/${i}`, '', { timeoutMs }),
    );
    await expect(hasty).rejects.toMatchObject({ name: 'TimeoutError', timeoutMs: 2_000 });
    // It has been found out by the time at which he is told.
    const blamed = client.health.endpoints.filter(({ state }) => state === 'unhealthy');
    expect(blamed.map(({ endpoint }) => endpoint)).toContain(other.endpoint);
    other.heal();
    await calm;
    await close();
  });

  it('is not left for the sake of who has given up', async () => {
    const { client, inUse, close } = await twoLines();
    const blamed: unknown[] = [];
    client.health.subscribe(({ endpoints }) =>
      blamed.push(...endpoints.filter(({ state }) => state === 'unhealthy')),
    );
    inUse.blackhole();
    const controller = new AbortController();
    const hasty = client.kv.get('/given-up', { timeoutMs: 1_000, signal: controller.signal });
    const calm = client.kv.get('/given-up', { timeoutMs: 60_000 });
    for (let i = 0; i < 3; i++) await turn();
    controller.abort();
    await expect(hasty).rejects.toMatchObject({ name: 'AbortedError' });
    // A timer that was set later and for longer: by then the patience of the other one would be over.
    await sleep(1_300);
    inUse.heal();
    expect(await calm).toBeUndefined();
    expect([client.health.endpoint, blamed]).toEqual([inUse.endpoint, []]);
    await close();
  });

  it('holds up neither what is queued behind it nor the next calls: they fail over', async () => {
    const second = await startProxy({ target: etcd.endpoint });
    const both = await connect({ endpoints: [far.proxy.endpoint, second.endpoint], requestTimeoutMs: 3_000 });
    const inUse = both.health.endpoint === far.proxy.endpoint ? far.proxy : second;
    inUse.blackhole();
    const startedAt = performance.now();
    const reads = many.map((i) => both.kv.get(`/frozen/${i}`));
    const repeatable = many.map((i) => both.kv.put(`/frozen/${i}`, 'x', { idempotent: true }));
    expect(await failures([...reads, ...repeatable])).toEqual([...many, ...many].map(() => undefined));
    // The first attempt has a third of the time; nobody waited for another one after it.
    expect(performance.now() - startedAt).toBeLessThan(2_900);
    await both.close();
    await second.close();
  });

  it('frees the slot of an overdue call for those that wait behind it', async () => {
    far.proxy.blackhole('toClient');
    const stuck = failures(
      [0, 1, 2, 3].map((i) => far.client.kv.put(`/stuck/${i}`, '', { timeoutMs: 30_000 })),
    );
    const queued = failures(many.map((i) => far.client.kv.put(`/queued/${i}`, '', { timeoutMs: 30_000 })));
    // Nothing has been answered, and yet all of it arrives.
    await eventually(async () => (await near.kv.range({ prefix: '/queued/' })).count === many.length, {
      timeoutMs: 10_000,
    });
    far.proxy.heal();
    expect([...(await stuck), ...(await queued)].filter((error) => error !== undefined)).toEqual([]);
  });
});

describe('a member without a leader', () => {
  it('answers reads that may be stale, together as by themselves', { timeout: 120_000 }, async () => {
    await using cluster = await startCluster({ size: 3 });
    const [left, ...others] = cluster.members;
    if (left === undefined) throw new Error('no member');
    await using own = await connect({ endpoints: [left.endpoint] });
    await own.kv.put('/alone/a', 'x');
    await eventually(async () => (await own.kv.get('/alone/a', { serializable: true })) !== undefined);
    for (const other of others) await other.kill();
    await eventually(async () => expect((await left.status()).leaderId).toBeUndefined(), {
      timeoutMs: 30_000,
    });
    const rpcs = await countRpcs(left.endpoint, async () => {
      const reads = many.map(() => own.kv.get('/alone/a', { serializable: true }));
      expect((await Promise.all(reads)).map((kv) => kv?.text())).toEqual(many.map(() => 'x'));
    });
    expect(rpcs.Txn).toBeGreaterThan(0);
    expect(rpcs.Range).toBeLessThan(5);
  });
});

describe('one call of many', () => {
  it('that aborts is rejected by itself: not applied while it waits, unknown once it is on its way', async () => {
    far.proxy.blackhole();
    const controllers = many.map(() => new AbortController());
    const calls = many.map((i) => far.client.kv.put(`/abort/${i}`, '', { signal: controllers[i]?.signal }));
    const outcomes = failures(calls);
    controllers[30]?.abort(new Error('not any more'));
    await expect(calls[30]).rejects.toMatchObject({ name: 'AbortedError', outcome: 'not-applied' });
    // The others have left as one batch at the end of the turn.
    const probe = far.client.kv
      .get('/abort/probe', { timeoutMs: 1_500 })
      .catch((error: Failure) => error.name);
    expect(await probe).toBe('TimeoutError');
    controllers[31]?.abort();
    await expect(calls[31]).rejects.toMatchObject({ name: 'AbortedError', outcome: 'unknown' });
    far.proxy.heal();
    const others = (await outcomes).filter((_, i) => i !== 30 && i !== 31);
    expect(others.filter((error) => error !== undefined)).toEqual([]);
    expect(await near.kv.get('/abort/30')).toBeUndefined();
    for (const { signal } of controllers) expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('that times out does so by itself and in its time, whatever the others wait for', async () => {
    far.proxy.blackhole();
    const startedAt = performance.now();
    const patient = far.client.kv.put('/time/patient', '', { timeoutMs: 20_000 });
    await turn();
    const second = far.client.kv.put('/time/second', '', { timeoutMs: 20_000 });
    await turn(); // until these two are overdue, there is no room for the others
    const others = failures(many.map((i) => far.client.kv.put(`/time/${i}`, '', { timeoutMs: 20_000 })));
    const hasty = failures([
      far.client.kv.put('/time/a', '', { timeoutMs: 100 }),
      far.client.kv.put('/time/b', '', { timeoutMs: 900 }),
      far.client.kv.get('/time/c', { timeoutMs: 900 }),
      far.client.kv.put('/time/patient', 'later', { timeoutMs: 900 }),
    ]);
    expect(await hasty).toMatchObject([
      { name: 'TimeoutError', outcome: 'not-applied', timeoutMs: 100 },
      { name: 'TimeoutError', outcome: 'unknown', timeoutMs: 900 },
      { name: 'TimeoutError', outcome: 'not-applied', timeoutMs: 900 },
      { name: 'TimeoutError', outcome: 'not-applied', timeoutMs: 900 }, // it waited for its predecessor
    ]);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    far.proxy.heal();
    await Promise.all([patient, second]);
    expect((await others).filter((error) => error !== undefined)).toEqual([]);
    expect((await near.kv.get('/time/patient'))?.text()).toBe('');
    expect(await near.kv.get('/time/a')).toBeUndefined();
  });

  it('cancels the request when all of its callers have gone', async () => {
    far.proxy.blackhole('toClient');
    const controller = new AbortController();
    const { signal } = controller;
    const errors = failures(
      many.map((i) => far.client.kv.get(`/cancel/${i}`, { signal, timeoutMs: 30_000 })),
    );
    await expect(far.client.kv.get('/cancel/probe', { timeoutMs: 900 })).rejects.toThrow();
    controller.abort();
    for (const error of await errors)
      expect(error).toMatchObject({ name: 'AbortedError', outcome: 'not-applied' });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    far.proxy.heal();
    await far.client.kv.get('/cancel/0');
  });

  it('leaves no listener on a signal that many calls share', async () => {
    const { signal } = new AbortController();
    await Promise.all(many.map((i) => near.kv.put(`/shared/${i % 7}`, `${i}`, { signal })));
    await failures(many.map((i) => near.kv.put(`/shared/${i}`, '', { signal, leaseId: i % 5 ? 0n : 777n })));
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('close', () => {
  it('refuses what waits and ends what is on its way', async () => {
    const own = await connect({ endpoints: [far.proxy.endpoint] });
    far.proxy.blackhole();
    const first = many.map((i) => own.kv.put(`/close/${i}`, ''));
    const after = own.kv.put('/close/0', 'after');
    const read = own.kv.get('/close/other');
    const errors = failures([...first, after, read]);
    await own.close({ timeoutMs: 100 });
    const [sent, ...rest] = await errors;
    expect(sent).toMatchObject({ name: 'ClosedError' });
    expect(rest.slice(1, many.length - 1)).toMatchObject(
      many.slice(2).map(() => ({ name: 'ClosedError', outcome: 'not-applied' })),
    );
    expect(rest.slice(-2)).toMatchObject([
      { name: 'ClosedError', outcome: 'not-applied' },
      { name: 'ClosedError', outcome: 'not-applied' },
    ]);
    far.proxy.heal();
    expect(await near.kv.get('/close/39')).toBeUndefined();
    expect(await failures([own.kv.put('/close/a', '')])).toMatchObject([
      { name: 'ClosedError', outcome: 'not-applied' },
    ]);
  });
});

describe('without a server', () => {
  it('many writes say that they were never sent', async () => {
    await far.proxy.refuse();
    far.proxy.cut();
    const own = createClient({ endpoints: [far.proxy.endpoint], requestTimeoutMs: 600 });
    for (const error of await failures(many.map((i) => own.kv.put(`/never/${i}`, '')))) {
      expect(error).toMatchObject({ outcome: 'not-applied' });
    }
    await own.close();
    await far.proxy.accept();
  });
});
