/** Service configs that are kept beside the services in etcd, and pushed to running channels. */
import { connect, ValidationError } from '@coord/client';
import { createRegistry } from '@coord/registry';
import { eventually } from '@coord/testkit';
import * as grpc from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import {
  deleteServiceConfig,
  getServiceConfig,
  registerResolver,
  type ServiceConfig,
  setServiceConfig,
} from '../src/index.js';
import { reachesAll, useStage } from './service-stage.js';
import { tally, WhoClient, who } from './who-service.js';

const stage = useStage();

const keyOf = (service: string) => `/coord/registry/service-config/services/${service}`;

const RETRY: ServiceConfig = {
  methodConfig: [
    {
      name: [{ service: 'test.Who' }],
      retryPolicy: {
        maxAttempts: 3,
        initialBackoff: '0.001s',
        maxBackoff: '0.01s',
        backoffMultiplier: 1,
        retryableStatusCodes: ['UNAVAILABLE'],
      },
    },
  ],
};

/** Two servers, of which "b" fails every call. */
async function half() {
  const service = stage.unique();
  const a = await stage.serve(service, 'a');
  const b = await stage.serve(service, 'b');
  b.server.refuse();
  return { service, a: a.server, b: b.server };
}

describe('a stored service config', () => {
  it('turns failures into successes on a running channel, and back when it is deleted', async () => {
    const { service, a, b } = await half();
    const { connection, whos } = await stage.connectTo(service);
    await eventually(async () => expect((await tally(whos, 4)).errors).toEqual({ UNAVAILABLE: 2 }));
    expect((await tally(whos, 30)).errors).toEqual({ UNAVAILABLE: 15 });

    const { revision } = await setServiceConfig(stage.registry, service, RETRY);
    await eventually(() => expect(connection.serviceConfig.storedRevision).toBe(revision));
    await eventually(async () => expect(await tally(whos, 4)).toEqual({ answers: { a: 4 }, errors: {} }));
    expect(await tally(whos, 30)).toEqual({ answers: { a: 30 }, errors: {} });

    await deleteServiceConfig(stage.registry, service);
    await eventually(async () => expect((await tally(whos, 4)).errors).toEqual({ UNAVAILABLE: 2 }));
    expect(connection.serviceConfig.storedRevision).toBeUndefined();
    expect([a.connections, b.connections]).toEqual([1, 1]);
  });

  it('goes for channels from the first call on', async () => {
    const { service } = await half();
    await setServiceConfig(stage.registry, service, RETRY);
    const { whos } = await stage.connectTo(service);
    expect(await tally(whos, 20)).toEqual({ answers: { a: 20 }, errors: {} });
  });

  it('goes for clients of registerResolver, beside their own', async () => {
    const { service, a } = await half();
    await setServiceConfig(stage.registry, service, RETRY);
    const handle = registerResolver({ registry: stage.registry, scheme: 'stored' });
    stage.cleanLater(() => handle.close());
    const whos = new WhoClient(handle.target(service), grpc.credentials.createInsecure(), {
      'grpc.service_config': JSON.stringify({
        loadBalancingConfig: [{ round_robin: {} }],
        methodConfig: [{ name: [{}], timeout: '0.3s' }],
      }),
    });
    stage.cleanLater(() => whos.close());
    // On a busy machine calls may take longer than their 300 ms.
    await eventually(async () => expect(await tally(whos, 8)).toEqual({ answers: { a: 8 }, errors: {} }));
    a.hold();
    await expect(who(whos, 20_000)).rejects.toMatchObject({ code: grpc.status.DEADLINE_EXCEEDED });
  });

  it('hedges calls that a frozen server does not answer', async () => {
    const service = stage.unique();
    const [a] = [await stage.serve(service, 'a'), await stage.serve(service, 'b')];
    const { whos } = await stage.connectTo(service);
    await reachesAll(whos, 'a', 'b');
    a.server.hold();
    await setServiceConfig(stage.registry, service, {
      methodConfig: [{ name: [{}], hedgingPolicy: { maxAttempts: 2, hedgingDelay: '0.02s' } }],
    });
    await eventually(async () =>
      expect(await Promise.all([who(whos, 500), who(whos, 500)])).toEqual(['b', 'b']),
    );
    expect(await tally(whos, 20)).toEqual({ answers: { b: 20 }, errors: {} });
  });

  it('chooses the policy where the connection has chosen none', async () => {
    const service = stage.unique();
    const a = await stage.serve(service, 'a');
    await stage.serve(service, 'b');
    const instance = { name: service, id: 'a', address: '127.0.0.1', port: a.server.port };
    await stage.registry.register({ ...instance, weight: 3 });
    const { whos } = await stage.connectTo(service);
    const { whos: settled } = await stage.connectTo(service, { strategy: 'round_robin' });
    for (const each of [whos, settled]) await reachesAll(each, 'a', 'b');
    expect((await tally(whos, 8)).answers).toEqual({ a: 4, b: 4 });
    await setServiceConfig(stage.registry, service, { loadBalancingConfig: [{ coord_weighted: {} }] });
    await eventually(async () => expect((await tally(whos, 8)).answers).toEqual({ a: 6, b: 2 }));
    expect((await tally(settled, 8)).answers).toEqual({ a: 4, b: 4 });
    await deleteServiceConfig(stage.registry, service);
    await eventually(async () => expect((await tally(whos, 8)).answers).toEqual({ a: 4, b: 4 }));
    expect(a.server.connections).toBe(1);
  });

  it('is for one service of one registry, and no instance to anybody', async () => {
    const service = stage.unique();
    await stage.serve(service, 'a');
    await setServiceConfig(stage.registry, service, RETRY);
    const elsewhere = createRegistry(stage.client, { keyPrefix: '/elsewhere' });
    expect(await getServiceConfig(elsewhere, service)).toBeUndefined();
    expect(await getServiceConfig(stage.registry, `${service}0`)).toBeUndefined();
    expect((await stage.client.kv.get(keyOf(service)))?.json()).toEqual(RETRY);
    const { kvs } = await stage.client.kv.range({ prefix: `/services/${service}` });
    expect(kvs.map(({ key }) => key)).toEqual([`/services/${service}/a`]);
    for (const consistency of ['cached', 'linearizable'] as const) {
      const found = await stage.registry.discover(service, { consistency, health: 'any' });
      expect(found.map(({ id }) => id)).toEqual(['a']);
    }
    expect((await stage.registry.listServices()).filter((name) => name.includes('config'))).toEqual([]);
  });
});

describe('a wrong service config', () => {
  it('is refused before anything is written', async () => {
    const service = stage.unique();
    const wrong = { methodConfig: [{ name: [{}], retryPolicy: { maxAttempts: 1 } }], retries: 3 };
    const stored = setServiceConfig(stage.registry, service, Object(wrong));
    await expect(stored).rejects.toBeInstanceOf(ValidationError);
    await expect(stored).rejects.toThrow(/serviceConfig\.retries: is no field.*retryPolicy\.maxAttempts/);
    expect(await getServiceConfig(stage.registry, service)).toBeUndefined();
    const circular: { self?: object } = {};
    circular.self = circular;
    const long = { methodConfig: [{ name: [{ service: 'x'.repeat(70_000) }] }] };
    for (const config of [undefined, null, 7, [], circular, long]) {
      const refused = Reflect.apply(setServiceConfig, undefined, [stage.registry, service, config]);
      await expect(refused).rejects.toBeInstanceOf(ValidationError);
    }
    expect(await stage.client.kv.get(keyOf(service))).toBeUndefined();
  });

  it('that others have written is passed over, and said to be', async () => {
    const { service } = await half();
    const warnings: unknown[][] = [];
    const silent = () => undefined;
    const logger = {
      debug: silent,
      info: silent,
      error: silent,
      warn: (...args: unknown[]) => warnings.push(args),
    };
    const client = await connect({ ...stage.etcd.connectOptions, logger });
    stage.cleanLater(() => client.close());
    const registry = createRegistry(client);
    const { revision } = await setServiceConfig(registry, service, RETRY);
    const connections = [
      await stage.connectTo(service, {}, registry),
      await stage.connectTo(service, {}, registry),
    ];
    for (const { whos } of connections) expect((await tally(whos, 10)).errors).toEqual({});

    const wrong = [
      ['{', /is not JSON/],
      [Buffer.from([0xff]), /is not JSON/],
      ['{"loadBalancingConfig":[{"wat":{}}]}', /no policy that grpc-js knows/],
      ['{"loadBalancingPolicy":"round_robin"}', /is ignored by grpc-js/],
      ['{"methodConfig":[{"name":[{}],"timeout":"5"}]}', /timeout/],
      [`{"methodConfig":[]${' '.repeat(70_000)}}`, /bytes/],
    ] as const;
    for (const [value, message] of wrong) {
      const put = await stage.client.kv.put(keyOf(service), value);
      for (const { connection } of connections) {
        await eventually(() => expect(connection.serviceConfig.refused?.revision).toBe(put.revision));
        expect(connection.serviceConfig.refused?.error.message).toMatch(message);
        expect(connection.serviceConfig.storedRevision).toBe(revision);
      }
      await expect(getServiceConfig(registry, service)).rejects.toThrow(message);
    }
    for (const { whos } of connections) expect((await tally(whos, 10)).errors).toEqual({});
    expect(JSON.parse(JSON.stringify(connections[0]?.connection.serviceConfig))).toMatchObject({
      storedRevision: String(revision),
      refused: { issues: [{ path: 'serviceConfig', message: expect.stringMatching(/bytes/) }] },
    });
    const refusals = warnings.filter((args) =>
      JSON.stringify(args, (_key, value) => (typeof value === 'bigint' ? String(value) : value)).includes(
        'service config refused',
      ),
    );
    expect(refusals).toHaveLength(wrong.length);

    await deleteServiceConfig(registry, service);
    for (const { connection, whos } of connections) {
      await eventually(() => expect(connection.serviceConfig.refused).toBeUndefined());
      await eventually(async () => expect((await tally(whos, 4)).errors).toEqual({ UNAVAILABLE: 2 }));
    }
  });

  it.each(['', 'a/b', '.', undefined])('for a service named %j is refused', async (name) => {
    for (const call of [setServiceConfig, getServiceConfig, deleteServiceConfig]) {
      await expect(Reflect.apply(call, undefined, [stage.registry, name, {}])).rejects.toThrow(/serviceName/);
      await expect(Reflect.apply(call, undefined, [{}, 'x', {}])).rejects.toThrow(/createRegistry/);
    }
    await expect(setServiceConfig(stage.registry, 'x', {}, { timeoutMs: -1 })).rejects.toThrow(/timeoutMs/);
    await expect(setServiceConfig(stage.registry, 'x', {}, { signal: AbortSignal.abort() })).rejects.toThrow(
      /aborted/,
    );
  });
});
