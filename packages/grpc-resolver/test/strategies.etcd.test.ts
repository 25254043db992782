/** How each strategy shares out calls, and follows membership, health and weights. */
import { connect } from '@coord/client';
import { createRegistry } from '@coord/registry';
import { eventually } from '@coord/testkit';
import * as grpc from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { startHealth } from './health-service.js';
import { reachesAll, useStage } from './service-stage.js';
import { startWho, tally, who } from './who-service.js';

const stage = useStage();

describe('round robin', () => {
  it('spreads calls evenly and follows membership', async () => {
    const service = stage.unique();
    const a = await stage.serve(service, 'a');
    await stage.serve(service, 'b');
    await stage.serve(service, 'c');
    const { connection, whos } = await stage.connectTo(service);
    await connection.waitForReady({ timeoutMs: 5_000 });
    await reachesAll(whos, 'a', 'b', 'c');
    expect((await tally(whos, 300)).answers).toEqual({ a: 100, b: 100, c: 100 });
    expect(a.server.authority).toBe(service);

    await stage.serve(service, 'd');
    await reachesAll(whos, 'a', 'b', 'c', 'd');
    expect((await tally(whos, 400)).answers).toEqual({ a: 100, b: 100, c: 100, d: 100 });

    const list = stage.registry.watchInstances(service);
    await list.next();
    await a.registration.deregister();
    await list.next();
    await list.close();
    await new Promise(setImmediate);
    const callsBefore = a.server.calls;
    expect(await tally(whos, 300)).toEqual({ answers: { b: 100, c: 100, d: 100 }, errors: {} });
    expect(a.server.calls).toBe(callsBefore);
  });

  it('leaves out instances that are not healthy', async () => {
    const service = stage.unique();
    const a = await stage.serve(service, 'a');
    const b = await stage.serve(service, 'b');
    const { whos } = await stage.connectTo(service);
    await reachesAll(whos, 'a', 'b');
    await a.registration.updateHealth('maintenance');
    await reachesAll(whos, 'b');
    await b.registration.updateHealth('unhealthy');
    await eventually(() => expect(who(whos)).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE }));
    await a.registration.updateHealth('healthy');
    await reachesAll(whos, 'a');
  });

  it('goes on with the others when a server is killed, and drops it with its lease', async () => {
    const service = stage.unique();
    const victim = await connect(stage.etcd.connectOptions);
    const a = await stage.serve(service, 'a', createRegistry(victim, { ttlMs: 2_000 }));
    await stage.serve(service, 'b');
    const { whos } = await stage.connectTo(service);
    await reachesAll(whos, 'a', 'b');
    a.server.kill();
    const { answers, errors } = await tally(whos, 100);
    expect(answers.b).toBeGreaterThanOrEqual(95);
    expect(Object.values(errors).reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(5);
    await victim.close();
    await eventually(async () => {
      expect((await stage.registry.discover(service)).map(({ id }) => id)).toEqual(['b']);
    });
    expect(await tally(whos, 50)).toEqual({ answers: { b: 50 }, errors: {} });
  });

  it('lets a stream live on when another instance goes', async () => {
    const service = stage.unique();
    const both = [await stage.serve(service, 'a'), await stage.serve(service, 'b')];
    const { whos } = await stage.connectTo(service);
    await reachesAll(whos, 'a', 'b');
    const stream = whos.ticks(Buffer.alloc(0));
    const received: string[] = [];
    stream.on('data', (bytes: Buffer) => received.push(String(bytes)));
    stream.on('error', (error) => received.push(error.message));
    await eventually(() => expect(received).toHaveLength(1));
    const stays = both.find(({ server }) => server.name === received[0]);
    const goes = both.find(({ server }) => server.name !== received[0]);
    await goes?.registration.deregister();
    await reachesAll(whos, stays?.server.name ?? '');
    stays?.server.tick();
    await eventually(() => expect(received).toEqual([stays?.server.name, stays?.server.name]));
    stream.cancel();
  });
});

describe('pick_first', () => {
  it('stays with one instance until that goes', async () => {
    const service = stage.unique();
    const both = [await stage.serve(service, 'a'), await stage.serve(service, 'b')];
    const { whos } = await stage.connectTo(service, { strategy: 'pick_first' });
    const { answers } = await tally(whos, 50);
    const [first = ''] = Object.keys(answers);
    expect(answers).toEqual({ [first]: 50 });
    await both.find(({ server }) => server.name === first)?.registration.deregister();
    const second = first === 'a' ? 'b' : 'a';
    await reachesAll(whos, second);
    expect((await tally(whos, 50)).answers).toEqual({ [second]: 50 });
  });
});

describe('weighted', () => {
  it('follows weights that change in etcd, without reconnecting', async () => {
    const service = stage.unique();
    const a = await stage.serve(service, 'a');
    const b = await stage.serve(service, 'b');
    const { whos } = await stage.connectTo(service, { strategy: 'weighted' });
    await reachesAll(whos, 'a', 'b');
    expect((await tally(whos, 40)).answers).toEqual({ a: 20, b: 20 });
    await stage.registry.register({
      name: service,
      id: 'a',
      address: '127.0.0.1',
      port: a.server.port,
      weight: 3,
    });
    await eventually(async () => expect((await tally(whos, 8)).answers).toEqual({ a: 6, b: 2 }));
    expect((await tally(whos, 40)).answers).toEqual({ a: 30, b: 10 });
    expect([a.server.connections, b.server.connections]).toEqual([1, 1]);
  });
});

describe.each(['round_robin', 'pick_first', 'weighted'] as const)(
  'an instance that is leaving, under %s',
  (strategy) => {
    it('gets no new call, though its key is still there', async () => {
      const service = stage.unique();
      const server = await startWho('a');
      stage.cleanLater(() => server.kill());
      const key = `/services/${service}/a`;
      const value = { address: '127.0.0.1', port: server.port };
      await stage.client.kv.put(key, JSON.stringify(value));
      const { whos } = await stage.connectTo(service, { strategy });
      expect(await who(whos)).toBe('a');
      await stage.client.kv.put(key, JSON.stringify({ ...value, leaving: true }));
      await eventually(() => expect(who(whos)).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE }));
      const { calls } = server;
      expect((await tally(whos, 10)).errors).toEqual({ UNAVAILABLE: 10 });
      expect(server.calls).toBe(calls);
      expect(await stage.client.kv.get(key)).toBeDefined();
      await stage.client.kv.put(key, JSON.stringify(value));
      await reachesAll(whos, 'a');
    });
  },
);

describe.each(['random', 'weighted', 'least_conn', 'p2c'] as const)('%s', (strategy) => {
  it('follows membership and health, and asks servers for their own health if told to', async () => {
    const service = stage.unique();
    const health = startHealth('test.Who');
    const a = await startWho('a', 0, health.server);
    stage.cleanLater(() => a.kill());
    const instance = { name: service, address: '127.0.0.1', port: a.port };
    await stage.registry.register({ ...instance, id: 'a' });
    const b = await stage.serve(service, 'b');
    const { whos } = await stage.connectTo(service, {
      strategy,
      serviceConfig: { healthCheckConfig: { serviceName: 'test.Who' } },
    });
    await reachesAll(whos, 'a', 'b');
    health.set('NOT_SERVING');
    await reachesAll(whos, 'b');
    health.set('SERVING');
    await reachesAll(whos, 'a', 'b');
    await b.registration.updateHealth('maintenance');
    await reachesAll(whos, 'a');
    await stage.registry.deregister(service, 'a');
    await eventually(() => expect(who(whos)).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE }));
    await b.registration.updateHealth('healthy');
    await reachesAll(whos, 'b');
  });
});

describe('an address that is registered under two ids', () => {
  it.each(['round_robin', 'weighted'] as const)('is one instance to %s', async (strategy) => {
    const service = stage.unique();
    const a = await stage.serve(service, 'a');
    await stage.serve(service, 'b');
    await stage.registry.register({ name: service, id: 'a2', address: '127.0.0.1', port: a.server.port });
    const { whos } = await stage.connectTo(service, { strategy });
    await reachesAll(whos, 'a', 'b');
    expect((await tally(whos, 40)).answers).toEqual({ a: 20, b: 20 });
  });
});
