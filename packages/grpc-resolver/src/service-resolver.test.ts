import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { cleanUp, follow, HandMadeConfig, HandMadeList, server } from '../test/hand-made-list.js';
import { tally, who } from '../test/who-service.js';
import { registerPolicies } from './register-policies.js';
import { ServiceResolver } from './service-resolver.js';

afterEach(cleanUp);

const policies = [
  'round_robin',
  'pick_first',
  'coord_random',
  'coord_weighted',
  'coord_least_conn',
  'coord_p2c',
];
registerPolicies(grpc);

describe.each(policies)('a channel with %s', (policy) => {
  it('fails calls at once when there is no instance, without spinning, and recovers', async () => {
    const list = new HandMadeList();
    list.set();
    const { client, counts } = follow(list, { policy });
    await expect(who(client)).rejects.toMatchObject({
      code: grpc.status.UNAVAILABLE,
      details: expect.stringContaining('no healthy instance'),
    });
    const before = { ...counts };
    const until = Date.now() + 300;
    while (Date.now() < until)
      await expect(who(client)).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
    expect(counts.results - before.results).toBeLessThanOrEqual(6);
    list.set(await server('a'));
    await vi.waitFor(() => expect(who(client)).resolves.toBe('a'));
  });

  it('lets go of a removed instance at once, also of the last', async () => {
    const [a, b] = [await server('a'), await server('b')];
    const list = new HandMadeList();
    list.set(a);
    const { client } = follow(list, { policy });
    expect(await who(client)).toBe('a');
    list.set(b);
    await new Promise(setImmediate);
    expect((await tally(client, 20)).answers).toEqual({ b: 20 });
    list.set();
    await new Promise(setImmediate);
    expect((await tally(client, 20)).errors).toEqual({ UNAVAILABLE: 20 });
    expect(a.calls).toBe(1);
  });

  it('fails calls when nobody can be reached, without spinning, and calls no removed instance instead', async () => {
    const a = await server('a');
    const gone = await server('gone');
    gone.kill();
    const list = new HandMadeList();
    list.set(a);
    const { client, counts } = follow(list, { policy });
    expect(await who(client)).toBe('a');
    list.set(gone);
    await new Promise(setImmediate);
    const before = { ...counts, calls: a.calls };
    const startedAt = performance.now();
    for (let i = 0; i < 20; i++) {
      await expect(who(client)).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
    }
    await vi.waitFor(() => expect(performance.now() - startedAt).toBeGreaterThan(400));
    expect(a.calls).toBe(before.calls);
    const rounds = (performance.now() - startedAt) / 200;
    expect(counts.results - before.results).toBeLessThanOrEqual(2 * rounds + 4);
    list.set(a);
    await vi.waitFor(() => expect(who(client)).resolves.toBe('a'));
  });

  it('does not reconnect to those that stay', async () => {
    const [a, b] = [await server('a'), await server('b')];
    const list = new HandMadeList();
    list.set(a, b);
    const { client } = follow(list, { policy });
    const stream = client.ticks(Buffer.alloc(0));
    const answers: string[] = [];
    stream.on('data', (bytes: Buffer) => answers.push(String(bytes)));
    stream.on('error', () => answers.push('error'));
    await vi.waitFor(() => expect(answers).toHaveLength(1));
    const stays = answers[0] === 'a' ? a : b;
    list.set(stays);
    await new Promise(setImmediate);
    expect((await tally(client, 10)).answers).toEqual({ [stays.name]: 10 });
    stays.tick();
    await vi.waitFor(() => expect(answers).toEqual([stays.name, stays.name]));
    stream.cancel();
  });

  it('says so when the list is not known in time, and then follows it', async () => {
    const list = new HandMadeList();
    const { client, counts } = follow(list, { policy, patienceMs: 100 });
    await expect(who(client)).rejects.toMatchObject({
      code: grpc.status.UNAVAILABLE,
      details: /made by hand/,
    });
    expect(counts.results).toBeLessThanOrEqual(3);
    list.set(await server('a'));
    await vi.waitFor(() => expect(who(client)).resolves.toBe('a'));
  });

  it('stops with an idle channel and goes on with it', async () => {
    const [a, b] = [await server('a'), await server('b')];
    const list = new HandMadeList();
    list.set(a);
    const { client, counts } = follow(list, { policy, options: { 'grpc.client_idle_timeout_ms': 1_000 } });
    expect(await who(client)).toBe('a');
    await vi.waitFor(() => expect(list.listeners).toBe(0), { timeout: 5_000 });
    list.set(b);
    expect(await who(client)).toBe('b');
    expect(counts.constructed).toBe(1);
    client.close();
    expect(list.listeners).toBe(0);
  });
});

describe.each(policies)('a channel that changes its policy to %s', (policy) => {
  it.each(policies.filter((each) => each !== policy))(
    'from %s keeps the connections, and calls nobody who goes at the same time',
    async (before) => {
      const [a, b] = [await server('a'), await server('b')];
      const list = new HandMadeList();
      list.set(a, b);
      const { client, config } = follow(list, { policy: before });
      const toEach = before === 'pick_first' ? 1 : 2;
      await vi.waitFor(async () =>
        expect(Object.keys((await tally(client, 6)).answers)).toHaveLength(toEach),
      );
      config.set({ loadBalancingConfig: [{ [policy]: {} }] });
      list.set(b);
      await new Promise(setImmediate);
      const { calls } = a;
      expect(await tally(client, 10)).toEqual({ answers: { b: 10 }, errors: {} });
      expect(a.calls).toBe(calls);
      // grpc-js's own pick_first shares no connection with policies that have many.
      expect(b.connections).toBe(policy === 'pick_first' ? 2 : 1);
    },
  );
});

it('spreads calls evenly over three instances', async () => {
  const servers = [await server('a'), await server('b'), await server('c')];
  const list = new HandMadeList();
  list.set(...servers);
  const { client } = follow(list);
  await vi.waitFor(async () => expect(Object.keys((await tally(client, 9)).answers)).toHaveLength(3));
  expect((await tally(client, 300)).answers).toEqual({ a: 100, b: 100, c: 100 });
});

it('keeps the addresses when the list fails', async () => {
  const list = new HandMadeList();
  list.set(await server('a'));
  const { client } = follow(list);
  expect(await who(client)).toBe('a');
  list.failure = new Error('no permission');
  list.set(...(list.healthy ?? []));
  expect((await tally(client, 10)).answers).toEqual({ a: 10 });
});

describe('a resolver', () => {
  const make = (list: HandMadeList, { patienceMs = 60_000, config = new HandMadeConfig() } = {}) => {
    const results: string[] = [];
    const resolver = new ServiceResolver({
      serviceName: 'who',
      open: () => list,
      follow: { patienceMs, subset: undefined },
      config,
      sink: { addresses: () => results.push('addresses'), unavailable: () => results.push('unavailable') },
    });
    return { resolver, results };
  };

  it('never answers within the call that asks', async () => {
    const list = new HandMadeList();
    list.set({ port: 1 });
    const { resolver, results } = make(list);
    resolver.resolve();
    expect(results).toEqual([]);
    await vi.waitFor(() => expect(results).toEqual(['addresses']));
    resolver.resolve();
    list.set({ port: 2 });
    expect(results).toEqual(['addresses']);
    resolver.stop();
  });

  it('answers each question, though nothing has changed, but not faster than every 200 ms', async () => {
    const list = new HandMadeList();
    list.set({ port: 1 });
    const { resolver, results } = make(list);
    resolver.resolve();
    await vi.waitFor(() => expect(results).toHaveLength(1));
    const answeredAt = performance.now();
    for (let i = 0; i < 100; i++) resolver.resolve();
    await vi.waitFor(() => expect(results).toHaveLength(2));
    expect(performance.now() - answeredAt).toBeGreaterThan(100);
    resolver.resolve();
    await vi.waitFor(() => expect(results).toHaveLength(3));
    resolver.stop();
  });

  it('says nothing of changes that make no difference to calls', async () => {
    const list = new HandMadeList();
    list.set({ port: 1 }, { port: 2 });
    const { resolver, results } = make(list);
    resolver.resolve();
    await vi.waitFor(() => expect(results).toHaveLength(1));
    list.set({ port: 1 }, { port: 2 });
    await new Promise(setImmediate);
    expect(results).toHaveLength(1);
    for (const change of [
      [{ port: 1, weight: 2 }, { port: 2 }],
      [
        { port: 1, weight: 2 },
        { port: 2, zone: 'b' },
      ],
      [{ port: 2, zone: 'b' }],
    ]) {
      const before = results.length;
      list.set(...change);
      await vi.waitFor(() => expect(results.length).toBeGreaterThan(before));
    }
    resolver.stop();
  });

  it('holds the addresses back until it is known by which service config to call them', async () => {
    const list = new HandMadeList();
    list.set({ port: 1 });
    const config = new HandMadeConfig();
    config.settled = false;
    const { resolver, results } = make(list, { config });
    resolver.resolve();
    list.set({ port: 2 });
    await new Promise(setImmediate);
    expect(results).toEqual([]);
    config.settle();
    await vi.waitFor(() => expect(results).toEqual(['addresses']));
    config.set({ methodConfig: [{ name: [{}], timeout: '1s' }] });
    await vi.waitFor(() => expect(results).toEqual(['addresses', 'addresses']));
    resolver.stop();
    config.set({});
    await new Promise(setImmediate);
    expect(results).toHaveLength(2);
  });

  it('keeps no process alive', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    const { resolver } = make(new HandMadeList());
    resolver.resolve(); // its patience runs
    const known = new HandMadeList();
    known.set({ port: 1 });
    const { resolver: repeating, results } = make(known);
    repeating.resolve();
    await vi.waitFor(() => expect(results).toHaveLength(1));
    repeating.resolve(); // its repetition waits
    expect(timers()).toBeLessThanOrEqual(before);
    resolver.stop();
    repeating.stop();
  });
});
