import { createServer } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { cleanLater, cleanUp, follow, HandMadeList, server } from '../test/hand-made-list.js';
import { startHealth } from '../test/health-service.js';
import { burst, startWho, tally, WhoClient, type WhoServer, who } from '../test/who-service.js';
import { registerPolicies } from './register-policies.js';

registerPolicies(grpc);
afterEach(cleanUp);

async function three(): Promise<[WhoServer, WhoServer, WhoServer]> {
  return [await server('a'), await server('b'), await server('c')];
}

/** Until each of the servers has answered: all are connected then. */
async function reachesAll(client: WhoClient, ...names: string[]): Promise<void> {
  await vi.waitFor(
    async () => expect(Object.keys(await burst(client, 10 * names.length)).sort()).toEqual(names),
    { timeout: 10_000 },
  );
}

const nextTurn = () => new Promise(setImmediate);

describe('coord_weighted', () => {
  it('follows weights live, on the connections that are there', async () => {
    const servers = await three();
    const list = new HandMadeList();
    const weigh = (...weights: number[]) =>
      list.set(...servers.map(({ port }, index) => ({ port, weight: weights[index] ?? 1 })));
    weigh(5, 3, 1);
    const { client } = follow(list, { policy: 'coord_weighted' });
    await reachesAll(client, 'a', 'b', 'c');
    expect((await tally(client, 180)).answers).toEqual({ a: 100, b: 60, c: 20 });
    weigh(1, 1, 8);
    await nextTurn();
    expect((await tally(client, 200)).answers).toEqual({ a: 20, b: 20, c: 160 });
    weigh(1, 0, 1);
    await nextTurn();
    expect(Object.keys((await tally(client, 20)).answers).sort()).toEqual(['a', 'c']);
    expect(servers.map(({ connections }) => connections)).toEqual([1, 1, 1]);
  });
});

describe('coord_random', () => {
  it('reaches every instance, whatever its weight', async () => {
    const servers = await three();
    const list = new HandMadeList();
    list.set(...servers);
    const { client } = follow(list, { policy: 'coord_random' });
    await reachesAll(client, 'a', 'b', 'c');
  });
});

describe.each(['coord_least_conn', 'coord_p2c'])('%s', (policy) => {
  it('avoids an instance that is slow to answer, and forgets calls that were cancelled', async () => {
    const servers = await three();
    const [slow] = servers;
    const list = new HandMadeList();
    list.set(...servers);
    const { client } = follow(list, { policy });
    await reachesAll(client, 'a', 'b', 'c');
    slow.hold();
    let ended = 0;
    const calls = Array.from({ length: 60 }, () => client.who(Buffer.alloc(0), {}, () => ended++));
    await vi.waitFor(() => expect(slow.held + ended).toBe(60));
    expect(slow.held).toBeGreaterThan(0);
    list.set(...servers.map(({ port }) => ({ port, weight: 2 }))); // counts outlive a new list
    await nextTurn();
    const { answers } = await tally(client, 60);
    expect((answers.b ?? 0) + (answers.c ?? 0)).toBe(60);
    for (const call of calls) call.cancel();
    await vi.waitFor(() => expect(slow.held).toBe(0));
    slow.release();
    await reachesAll(client, 'a', 'b', 'c');
  });
});

describe('coord_least_conn', () => {
  it('counts calls from the pick on: a burst in one tick is spread evenly, also after cancelled ones', async () => {
    const servers = await three();
    const list = new HandMadeList();
    list.set(...servers);
    const { client } = follow(list, { policy: 'coord_least_conn' });
    await reachesAll(client, 'a', 'b', 'c');
    expect(await burst(client, 300)).toEqual({ a: 100, b: 100, c: 100 });
    for (const each of servers) each.hold();
    const calls = Array.from({ length: 100 }, () => client.who(Buffer.alloc(0), {}, () => undefined));
    // Some as they begin, the others while they are under way.
    await nextTurn();
    for (const call of calls.slice(0, 40)) call.cancel();
    await vi.waitFor(() => expect(servers.reduce((sum, { held }) => sum + held, 0)).toBe(60));
    for (const call of calls) call.cancel();
    await vi.waitFor(() => expect(servers.reduce((sum, { held }) => sum + held, 0)).toBe(0));
    for (const each of servers) each.release();
    expect(await burst(client, 300)).toEqual({ a: 100, b: 100, c: 100 });
  });
});

describe('coord_ring_hash', () => {
  it('goes by a metadata key, and by nothing when a call has none', async () => {
    const servers = await three();
    const list = new HandMadeList();
    list.set(...servers);
    const { client } = follow(list, { policy: 'coord_ring_hash', settings: { hashKey: 'user-id' } });
    await reachesAll(client, 'a', 'b', 'c');
    const placed = new Map<string, string>();
    for (let user = 0; user < 30; user++) {
      const id = `user-${user}`;
      placed.set(id, await who(client, 5_000, { 'user-id': id }));
      expect(await who(client, 5_000, { 'user-id': id })).toBe(placed.get(id));
    }
    expect(new Set(placed.values()).size).toBe(3);
    list.set(...servers.slice(1));
    await nextTurn();
    for (const [id, name] of placed) {
      const now = await who(client, 5_000, { 'user-id': id });
      if (name === 'a') expect(['b', 'c']).toContain(now);
      else expect(now).toBe(name);
    }
  });
});

describe('a zone', () => {
  it('is preferred, left when it is lost, and returned to; its calls never fail', async () => {
    const [a, b, c] = await three();
    const near = [a, b].map(({ port }) => ({ port, zone: 'near' }));
    const far = { port: c.port, zone: 'far' };
    const list = new HandMadeList();
    list.set(...near, far);
    const { client } = follow(list, { policy: 'coord_weighted', settings: { zone: 'near' } });
    await reachesAll(client, 'a', 'b');
    expect((await tally(client, 100)).answers).toEqual({ a: 50, b: 50 });
    list.set(far);
    await nextTurn();
    expect(await tally(client, 20)).toEqual({ answers: { c: 20 }, errors: {} });
    list.set(...near, far);
    await reachesAll(client, 'a', 'b');
  });
});

describe('grpc.health.v1', () => {
  const policy = 'coord_weighted';
  const settings = { healthCheckService: 'test.Who' };

  it('gives no calls to a server that says it is not serving, and keeps its connection', async () => {
    const health = startHealth('test.Who');
    const a = await server('a', health.server);
    const b = await server('b', startHealth('test.Who').server);
    const list = new HandMadeList();
    list.set(a, b);
    const { client } = follow(list, { policy, settings });
    await reachesAll(client, 'a', 'b');
    health.set('NOT_SERVING');
    await vi.waitFor(async () => expect(await burst(client, 20)).toEqual({ b: 20 }));
    health.set('SERVING');
    await reachesAll(client, 'a', 'b');
    expect([a.connections, b.connections]).toEqual([1, 1]);
  });

  it('fails calls with the reason when nobody serves, but lets them wait for the first answer', async () => {
    const health = startHealth('test.Who');
    const list = new HandMadeList();
    list.set(await server('a', health.server));
    const { client } = follow(list, { policy, settings });
    expect(await who(client)).toBe('a');
    health.set('NOT_SERVING');
    await vi.waitFor(() =>
      expect(who(client)).rejects.toMatchObject({
        code: grpc.status.UNAVAILABLE,
        details: expect.stringContaining('not serving'),
      }),
    );
  });

  it('takes a server without the health service as serving', async () => {
    const list = new HandMadeList();
    list.set(await server('a'));
    const { client } = follow(list, { policy, settings });
    expect(await who(client)).toBe('a');
  });
});

describe.each(['round_robin', 'pick_first', 'coord_weighted', 'coord_least_conn', 'coord_random'])(
  'a peer that accepts and stays silent, under %s',
  (policy) => {
    async function silentPeer(onConnection = () => {}): Promise<{ readonly port: number }> {
      const silent = createServer(onConnection);
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
      cleanLater(() => silent.close());
      const address = silent.address();
      return { port: typeof address === 'object' && address !== null ? address.port : 0 };
    }

    it('does not keep calls from those that answer', async () => {
      const list = new HandMadeList();
      list.set(await silentPeer(), await server('a'));
      const { client } = follow(list, { policy });
      expect(await tally(client, 20)).toEqual({ answers: { a: 20 }, errors: {} });
    });

    it('does not fail the calls that wait for it when another takes its place', async () => {
      const a = await server('a');
      const list = new HandMadeList();
      let waiting: Promise<string> | undefined;
      await new Promise<void>((resolve, reject) => {
        silentPeer(resolve).then((silent) => {
          list.set(silent);
          waiting = who(follow(list, { policy }).client);
          waiting.catch(reject);
        }, reject);
      });
      list.set(a);
      expect(await waiting).toBe('a');
    });
  },
);

describe.each(['round_robin', 'coord_weighted', 'pick_first'])('a removed instance, under %s', (policy) => {
  it('ends its calls in flight in peace', async () => {
    const [a, b] = [await server('a'), await server('b')];
    const list = new HandMadeList();
    list.set(a);
    const { client } = follow(list, { policy });
    expect(await who(client)).toBe('a');
    a.hold();
    const late = who(client);
    await vi.waitFor(() => expect(a.held).toBe(1));
    list.set(b);
    await nextTurn();
    expect((await tally(client, 10)).answers).toEqual({ b: 10 });
    a.release();
    expect(await late).toBe('a');
  });
});

it('connects anew to a server that comes back', async () => {
  const a = await server('a');
  const list = new HandMadeList();
  list.set(a);
  const { client } = follow(list, { policy: 'coord_weighted' });
  expect(await who(client)).toBe('a');
  a.kill();
  await vi.waitFor(() => expect(who(client)).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE }));
  const again = await startWho('again', a.port);
  cleanLater(() => again.kill());
  await vi.waitFor(() => expect(who(client)).resolves.toBe('again'), { timeout: 10_000 });
});

it('serves targets of other resolvers by name, and beneath outlier detection', async () => {
  const [a, b] = [await server('a'), await server('b')];
  for (const config of [
    { coord_weighted: {} },
    { outlier_detection: { child_policy: [{ coord_weighted: {} }] } },
  ]) {
    const client = new WhoClient(
      `ipv4:127.0.0.1:${a.port},127.0.0.1:${b.port}`,
      grpc.credentials.createInsecure(),
      {
        'grpc.service_config': JSON.stringify({ loadBalancingConfig: [config] }),
      },
    );
    cleanLater(() => client.close());
    await reachesAll(client, 'a', 'b');
    expect((await tally(client, 100)).answers).toEqual({ a: 50, b: 50 });
  }
});
