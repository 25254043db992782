import { ClosedError, type CoordClient, connect, TimeoutError, ValidationError } from '@coord/client';
import { createRegistry, type Registration, type ServiceRegistry } from '@coord/registry';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import requiredGrpc, * as grpc from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type ConnectionOptions,
  getConnection,
  registerResolver,
  type ServiceConnection,
} from '../src/index.js';
import { startHealth } from './health-service.js';
import { startWho, tally, WhoClient, type WhoServer, who } from './who-service.js';

let etcd: EtcdServer;
let client: CoordClient;
let registry: ServiceRegistry;
const cleanups: (() => unknown)[] = [];
let names = 0;

beforeAll(async () => {
  etcd = await startEtcd();
  client = await connect(etcd.connectOptions);
  registry = createRegistry(client, { ttlMs: 3_000 });
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

afterAll(async () => {
  await client?.close();
  await etcd?.stop();
});

const unique = () => `who-${++names}`;

async function serve(
  service: string,
  name: string,
  of: ServiceRegistry = registry,
): Promise<{ server: WhoServer; registration: Registration }> {
  const server = await startWho(name);
  cleanups.push(() => server.kill());
  const registration = await of.register({
    name: service,
    id: name,
    address: '127.0.0.1',
    port: server.port,
  });
  cleanups.push(() => registration.deregister());
  return { server, registration };
}

async function connectTo(
  service: string,
  options?: ConnectionOptions,
  of: ServiceRegistry = registry,
): Promise<{ connection: ServiceConnection; whos: WhoClient }> {
  const connection = await getConnection(of, service, options);
  cleanups.push(() => connection.close());
  return { connection, whos: connection.client(WhoClient) };
}

/** Waits until each of the names has answered. */
async function reachesAll(whos: WhoClient, ...expected: string[]): Promise<void> {
  await eventually(async () => {
    const { answers } = await tally(whos, expected.length * 2);
    expect(Object.keys(answers).sort()).toEqual(expected);
  });
}

describe('round robin', () => {
  it('spreads calls evenly and follows membership', async () => {
    const service = unique();
    const a = await serve(service, 'a');
    await serve(service, 'b');
    await serve(service, 'c');
    const { connection, whos } = await connectTo(service);
    await connection.waitForReady({ timeoutMs: 5_000 });
    await reachesAll(whos, 'a', 'b', 'c');
    expect((await tally(whos, 300)).answers).toEqual({ a: 100, b: 100, c: 100 });
    expect(a.server.authority).toBe(service);

    await serve(service, 'd');
    await reachesAll(whos, 'a', 'b', 'c', 'd');
    expect((await tally(whos, 400)).answers).toEqual({ a: 100, b: 100, c: 100, d: 100 });

    const list = registry.watchInstances(service);
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
    const service = unique();
    const a = await serve(service, 'a');
    const b = await serve(service, 'b');
    const { whos } = await connectTo(service);
    await reachesAll(whos, 'a', 'b');
    await a.registration.updateHealth('maintenance');
    await reachesAll(whos, 'b');
    await b.registration.updateHealth('unhealthy');
    await eventually(() => expect(who(whos)).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE }));
    await a.registration.updateHealth('healthy');
    await reachesAll(whos, 'a');
  });

  it('goes on with the others when a server is killed, and drops it with its lease', async () => {
    const service = unique();
    const victim = await connect(etcd.connectOptions);
    const a = await serve(service, 'a', createRegistry(victim, { ttlMs: 2_000 }));
    await serve(service, 'b');
    const { whos } = await connectTo(service);
    await reachesAll(whos, 'a', 'b');
    a.server.kill();
    const { answers, errors } = await tally(whos, 100);
    expect(answers.b).toBeGreaterThanOrEqual(95);
    expect(Object.values(errors).reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(5);
    await victim.close();
    await eventually(async () => {
      expect((await registry.discover(service)).map(({ id }) => id)).toEqual(['b']);
    });
    expect(await tally(whos, 50)).toEqual({ answers: { b: 50 }, errors: {} });
  });

  it('lets a stream live on when another instance goes', async () => {
    const service = unique();
    const both = [await serve(service, 'a'), await serve(service, 'b')];
    const { whos } = await connectTo(service);
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
    const service = unique();
    const both = [await serve(service, 'a'), await serve(service, 'b')];
    const { whos } = await connectTo(service, { strategy: 'pick_first' });
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
    const service = unique();
    const a = await serve(service, 'a');
    const b = await serve(service, 'b');
    const { whos } = await connectTo(service, { strategy: 'weighted' });
    await reachesAll(whos, 'a', 'b');
    expect((await tally(whos, 40)).answers).toEqual({ a: 20, b: 20 });
    await registry.register({ name: service, id: 'a', address: '127.0.0.1', port: a.server.port, weight: 3 });
    await eventually(async () => expect((await tally(whos, 8)).answers).toEqual({ a: 6, b: 2 }));
    expect((await tally(whos, 40)).answers).toEqual({ a: 30, b: 10 });
    expect([a.server.connections, b.server.connections]).toEqual([1, 1]);
  });
});

describe.each(['round_robin', 'pick_first', 'weighted'] as const)(
  'an instance that is leaving, under %s',
  (strategy) => {
    it('gets no new call, though its key is still there', async () => {
      const service = unique();
      const server = await startWho('a');
      cleanups.push(() => server.kill());
      const key = `/services/${service}/a`;
      const value = { address: '127.0.0.1', port: server.port };
      await client.kv.put(key, JSON.stringify(value));
      const { whos } = await connectTo(service, { strategy });
      expect(await who(whos)).toBe('a');
      await client.kv.put(key, JSON.stringify({ ...value, leaving: true }));
      await eventually(() => expect(who(whos)).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE }));
      const { calls } = server;
      expect((await tally(whos, 10)).errors).toEqual({ UNAVAILABLE: 10 });
      expect(server.calls).toBe(calls);
      expect(await client.kv.get(key)).toBeDefined();
      await client.kv.put(key, JSON.stringify(value));
      await reachesAll(whos, 'a');
    });
  },
);

describe.each(['random', 'weighted', 'least_conn', 'p2c'] as const)('%s', (strategy) => {
  it('follows membership and health, and asks servers for their own health if told to', async () => {
    const service = unique();
    const health = startHealth('test.Who');
    const a = await startWho('a', 0, health.server);
    cleanups.push(() => a.kill());
    const instance = { name: service, address: '127.0.0.1', port: a.port };
    await registry.register({ ...instance, id: 'a' });
    const b = await serve(service, 'b');
    const { whos } = await connectTo(service, {
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
    await registry.deregister(service, 'a');
    await eventually(() => expect(who(whos)).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE }));
    await b.registration.updateHealth('healthy');
    await reachesAll(whos, 'b');
  });
});

describe('an address that is registered under two ids', () => {
  it.each(['round_robin', 'weighted'] as const)('is one instance to %s', async (strategy) => {
    const service = unique();
    const a = await serve(service, 'a');
    await serve(service, 'b');
    await registry.register({ name: service, id: 'a2', address: '127.0.0.1', port: a.server.port });
    const { whos } = await connectTo(service, { strategy });
    await reachesAll(whos, 'a', 'b');
    expect((await tally(whos, 40)).answers).toEqual({ a: 20, b: 20 });
  });
});

describe('a service without instances', () => {
  it('fails calls as UNAVAILABLE, neither hanging nor spinning, until one comes', async () => {
    const service = unique();
    const { connection, whos } = await connectTo(service);
    const failures = await tally(whos, 5);
    expect(failures).toEqual({ answers: {}, errors: { UNAVAILABLE: 5 } });
    await expect(connection.waitForReady({ timeoutMs: 300 })).rejects.toBeInstanceOf(TimeoutError);
    await serve(service, 'a');
    await reachesAll(whos, 'a');
  });
});

describe('retry', () => {
  it('is off unless asked for, and then hides a lost instance', async () => {
    const service = unique();
    const a = await serve(service, 'a');
    await serve(service, 'b');
    const { whos } = await connectTo(service, { retry: true });
    await reachesAll(whos, 'a', 'b');
    a.server.kill();
    const { answers, errors } = await tally(whos, 100);
    expect(errors.UNAVAILABLE ?? 0).toBe(0);
    expect(answers.b).toBeGreaterThanOrEqual(99);
  });
});

describe('an etcd that is away', () => {
  it('does not stop calls, and is not needed by connections that know their service', async () => {
    const service = unique();
    await serve(service, 'a');
    await serve(service, 'b');
    const { whos } = await connectTo(service);
    await reachesAll(whos, 'a', 'b');
    await etcd.kill();
    const until = performance.now() + 4_000;
    while (performance.now() < until) {
      expect((await tally(whos, 20)).errors).toEqual({});
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const { whos: late } = await connectTo(service);
    await reachesAll(late, 'a', 'b');
    const { whos: unknown } = await connectTo(unique(), { patienceMs: 200 });
    await expect(who(unknown)).rejects.toMatchObject({
      code: grpc.status.UNAVAILABLE,
      details: expect.stringContaining('could not be read from etcd'),
    });
    await etcd.restart();
    await serve(service, 'c');
    for (const each of [whos, late]) await reachesAll(each, 'a', 'b', 'c');
  });
});

describe('several registries in one process', () => {
  it('do not see each other, by connection, by name, and by channel option', async () => {
    const service = unique();
    const elsewhere = createRegistry(client, { keyPrefix: '/elsewhere' });
    await serve(service, 'here');
    await serve(service, 'there', elsewhere);
    const { whos: here } = await connectTo(service);
    const { whos: there } = await connectTo(service, {}, elsewhere);
    expect(await who(here)).toBe('here');
    expect(await who(there)).toBe('there');

    const handles = [
      registerResolver({ registry, scheme: 'two' }),
      registerResolver({ registry: elsewhere, scheme: 'two', name: 'other' }),
    ] as const;
    for (const handle of handles) cleanups.push(() => handle.close());
    const insecure = grpc.credentials.createInsecure();
    const clients = [
      new WhoClient(`two:///${service}`, insecure),
      new WhoClient(`two://other/${service}`, insecure),
      new WhoClient(`two:///${service}`, insecure, handles[1].channelOptions()),
    ];
    for (const each of clients) cleanups.push(() => each.close());
    expect(await Promise.all(clients.map((each) => who(each)))).toEqual(['here', 'there', 'there']);
    expect(handles.map((handle) => handle.target(service))).toEqual([
      `two:///${service}`,
      `two://other/${service}`,
    ]);
  });
});

describe('registerResolver', () => {
  it('refuses clients whose service config names no policy that is known', async () => {
    const handle = registerResolver({ registry, scheme: 'strict' });
    cleanups.push(() => handle.close());
    const insecure = grpc.credentials.createInsecure();
    const make = (config: object) => () =>
      new WhoClient(handle.target('x'), insecure, { 'grpc.service_config': JSON.stringify(config) }).close();
    expect(make({ loadBalancingConfig: [{ wat: {} }] })).toThrow(ValidationError);
    expect(make({ loadBalancingPolicy: 'round_robin' })).toThrow(/loadBalancingConfig/);
    expect(make({ loadBalancingConfig: [{ wat: {} }, { coord_weighted: {} }] })).not.toThrow();
  });

  it('makes etcd:///service a target for any client', async () => {
    const service = unique();
    await serve(service, 'a');
    await serve(service, 'b');
    const handle = registerResolver({ client });
    cleanups.push(() => handle.close());
    const whos = new WhoClient(`etcd:///${service}`, grpc.credentials.createInsecure(), {
      'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
    });
    cleanups.push(() => whos.close());
    await reachesAll(whos, 'a', 'b');
  });

  it('refuses a second one for the same targets, until the first is closed', async () => {
    const first = registerResolver({ registry, scheme: 'once' });
    expect(() => registerResolver({ registry, scheme: 'once' })).toThrow(/another name/);
    const named = registerResolver({ registry, scheme: 'once', name: 'b' });
    await first.close();
    await first.close();
    expect(() => new WhoClient('once:///x', grpc.credentials.createInsecure())).toThrow(
      /nothing is registered/,
    );
    const second = registerResolver({ registry, scheme: 'once' });
    await Promise.all([second.close(), named.close()]);
  });

  it('knows one copy of grpc-js, whichever way it was imported', async () => {
    const handle = registerResolver({ registry, scheme: 'copy' });
    expect(() => registerResolver({ registry, scheme: 'copy', grpc: requiredGrpc })).toThrow(/another name/);
    await handle.close();
  });

  it('refuses options that are none', () => {
    for (const options of [undefined, null, 'etcd']) {
      expect(() => Reflect.apply(registerResolver, undefined, [options])).toThrow(ValidationError);
    }
  });

  it.each([
    {},
    { registry: {} },
    { client: {} },
    { scheme: 'dns' },
    { scheme: 'No' },
    { name: 'a/b' },
    { grpc: {} },
    { patienceMs: 0 },
  ])('refuses %j', (options) => {
    const given = 'registry' in options || 'client' in options ? options : { registry, ...options };
    expect(() => registerResolver(Object(Object.keys(options).length === 0 ? {} : given))).toThrow(
      ValidationError,
    );
  });
});

describe('getConnection', () => {
  it.each([
    [{ strategy: 'wat' }, /round_robin, random/],
    [{ strategy: 'toString' }, /round_robin, random/],
    [{ strategy: 'ring_hash' }, /hashKey/],
    [{ strategy: 'ring_hash', hashKey: 'x-bin' }, /hashKey/],
    [{ strategy: 'ring_hash', hashKey: 'x', zone: 'a' }, /zone/],
    [{ strategy: 'weighted', hashKey: 'x' }, /hashKey/],
    [{ strategy: 'weighted', zone: 7 }, /zone/],
    [{ zone: 'a' }, /zone: does not go with round_robin/],
    [{ strategy: 'pick_first', serviceConfig: { healthCheckConfig: { serviceName: '' } } }, /pick_first/],
    [{ strategy: 'random', serviceConfig: { healthCheckConfig: {} } }, /serviceName/],
    [
      { serviceConfig: { healthCheckConfig: { serviceName: '' }, loadBalancingConfig: [{ coord_p2c: {} }] } },
      /healthCheckService/,
    ],
    [{ zone: 'a', serviceConfig: { loadBalancingConfig: [] } }, /either a zone/],
    [{ serviceConfig: { loadBalancingConfig: [{ wat: {} }] } }, /Unrecognized.*wat/],
    [{ serviceConfig: { loadBalancingConfig: [{ coord_weighted: { zon: 'a' } }] } }, /is no setting/],
    [{ serviceConfig: { loadBalancingPolicy: 'round_robin' } }, /is ignored by grpc-js/],
    [{ strategy: 'round_robin', serviceConfig: { loadBalancingConfig: [] } }, /either a strategy/],
    [{ channelOptions: { 'grpc.service_config': '{}' } }, /serviceConfig/],
    [{ credentials: { _isSecure: () => false } }, /two copies/],
    [{ retry: 3 }, /retry/],
    [{ serviceConfig: { methodConfig: [{ name: 'x' }] } }, /grpc-js refuses it/],
    [{ grpc: {} }, /1\.14/],
  ])('refuses %j', async (options, message) => {
    await expect(getConnection(registry, 'x', Object(options))).rejects.toSatisfy(
      (error) => error instanceof ValidationError && message.test(error.message),
    );
  });

  it('refuses options that are none', async () => {
    await expect(Reflect.apply(getConnection, undefined, [registry, 'x', null])).rejects.toThrow(
      ValidationError,
    );
  });

  it.each(['user:v2', 'billing.2024', 'ü ?#%'])('reaches a service named %s', async (service) => {
    await serve(service, 'a');
    const { whos } = await connectTo(service);
    expect(await who(whos)).toBe('a');
  });

  it('balances by the strategy when the service config leaves that open', async () => {
    const service = unique();
    await serve(service, 'a');
    await serve(service, 'b');
    const { whos } = await connectTo(service, { serviceConfig: { loadBalancingConfig: undefined } });
    await reachesAll(whos, 'a', 'b');
  });

  it('is closed when one of its clients is', async () => {
    const service = unique();
    await serve(service, 'a');
    const { connection, whos } = await connectTo(service);
    expect(await who(whos)).toBe('a');
    whos.close();
    await expect(connection.waitForReady({ timeoutMs: 1_000 })).rejects.toBeInstanceOf(ClosedError);
    const unused = await connectTo(unique());
    const ready = unused.connection.waitForReady({ timeoutMs: 5_000 });
    unused.whos.close();
    await expect(ready).rejects.toBeInstanceOf(ClosedError);
  });

  it('serves clients made by grpc.loadPackageDefinition, with types', async () => {
    const service = unique();
    await serve(service, 'a');
    const { connection } = await connectTo(service);
    const Loaded = grpc.makeGenericClientConstructor({}, 'test.Who');
    const loaded: grpc.Client = connection.client(Loaded);
    const typed: WhoClient = connection.client(WhoClient);
    expect(loaded.getChannel()).toBe(typed.getChannel());
  });

  it('follows nothing any more once it is closed', async () => {
    const service = unique();
    await serve(service, 'a');
    const { connection, whos } = await connectTo(service);
    expect(await who(whos)).toBe('a');
    await connection.close();
    await connection.close();
    await expect(connection.waitForReady({ timeoutMs: 100 })).rejects.toThrow(/closed/);
  });
});
