/** `getConnection`: what it refuses, what it serves, how it ends. */
import { ClosedError, connect, ValidationError } from '@coord/client';
import { createRegistry } from '@coord/registry';
import * as grpc from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { getConnection } from '../src/index.js';
import { reachesAll, useStage } from './service-stage.js';
import { tally, WhoClient, who } from './who-service.js';

const stage = useStage();

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
    [{ serviceConfig: { loadBalancingConfig: [{ wat: {} }] } }, /no policy that grpc-js knows \(wat\)/],
    [{ serviceConfig: { loadBalancingConfig: [{ coord_weighted: { zon: 'a' } }] } }, /is no setting/],
    [{ serviceConfig: { loadBalancingPolicy: 'round_robin' } }, /is ignored by grpc-js/],
    [{ strategy: 'round_robin', serviceConfig: { loadBalancingConfig: [] } }, /either a strategy/],
    [{ channelOptions: { 'grpc.service_config': '{}' } }, /serviceConfig/],
    [{ credentials: { _isSecure: () => false } }, /two copies/],
    [{ retry: 3 }, /retry/],
    [{ serviceConfig: { methodConfig: [{ name: 'x' }] } }, /methodConfig\[0\]\.name: must be an array/],
    [{ grpc: {} }, /1\.14/],
  ])('refuses %j', async (options, message) => {
    await expect(getConnection(stage.registry, 'x', Object(options))).rejects.toSatisfy(
      (error) => error instanceof ValidationError && message.test(error.message),
    );
  });

  it('refuses options that are none', async () => {
    await expect(Reflect.apply(getConnection, undefined, [stage.registry, 'x', null])).rejects.toThrow(
      ValidationError,
    );
  });

  it.each(['user:v2', 'billing.2024', 'ü ?#%'])('reaches a service named %s', async (service) => {
    await stage.serve(service, 'a');
    const { whos } = await stage.connectTo(service);
    expect(await who(whos)).toBe('a');
  });

  it('balances by the strategy when the service config leaves that open', async () => {
    const service = stage.unique();
    await stage.serve(service, 'a');
    await stage.serve(service, 'b');
    const { whos } = await stage.connectTo(service, { serviceConfig: { loadBalancingConfig: undefined } });
    await reachesAll(whos, 'a', 'b');
    const serviceConfig = { loadBalancingConfig: undefined, methodConfig: undefined };
    const { connection } = await stage.connectTo(service, { strategy: 'weighted', serviceConfig });
    expect(connection.serviceConfig.inForce.loadBalancingConfig).toEqual([{ coord_weighted: {} }]);
  });

  it('goes by the service config as it was given, whatever becomes of the object', async () => {
    const method = { name: [{}], timeout: '20s' as const };
    const { connection } = await stage.connectTo(stage.unique(), {
      serviceConfig: { methodConfig: [method] },
    });
    Object.assign(method, { timeout: '0.000001s' });
    expect(connection.serviceConfig.inForce.methodConfig).toEqual([{ name: [{}], timeout: '20s' }]);
    Object.assign(connection.serviceConfig.inForce, { methodConfig: [] });
    expect(connection.serviceConfig.inForce.methodConfig).toHaveLength(1);
    const circular: { self?: object } = {};
    circular.self = circular;
    for (const settings of [circular, { many: 1n }]) {
      const serviceConfig = { loadBalancingConfig: [{ round_robin: settings }] };
      await expect(getConnection(stage.registry, 'x', { serviceConfig })).rejects.toThrow(
        /cannot be written/,
      );
    }
  });

  it('refuses waits that are none', async () => {
    const { connection } = await stage.connectTo(stage.unique());
    for (const options of [{ timeoutMs: -1 }, { timeoutMs: 'x' }, { signal: {} }, null, 7]) {
      const waiting = Reflect.apply(connection.waitForReady, connection, [options]);
      await expect(waiting).rejects.toBeInstanceOf(ValidationError);
    }
  });

  it('is closed when one of its clients is', async () => {
    const service = stage.unique();
    await stage.serve(service, 'a');
    const { connection, whos } = await stage.connectTo(service);
    expect(await who(whos)).toBe('a');
    whos.close();
    await expect(connection.waitForReady({ timeoutMs: 1_000 })).rejects.toBeInstanceOf(ClosedError);
    const unused = await stage.connectTo(stage.unique());
    const ready = unused.connection.waitForReady({ timeoutMs: 5_000 });
    unused.whos.close();
    await expect(ready).rejects.toBeInstanceOf(ClosedError);
  });

  it('serves clients made by grpc.loadPackageDefinition, with types', async () => {
    const service = stage.unique();
    await stage.serve(service, 'a');
    const { connection } = await stage.connectTo(service);
    const Loaded = grpc.makeGenericClientConstructor({}, 'test.Who');
    const loaded: grpc.Client = connection.client(Loaded);
    const typed: WhoClient = connection.client(WhoClient);
    expect(loaded.getChannel()).toBe(typed.getChannel());
  });

  it('follows nothing any more once it is closed', async () => {
    const service = stage.unique();
    await stage.serve(service, 'a');
    const { connection, whos } = await stage.connectTo(service);
    expect(await who(whos)).toBe('a');
    await connection.close();
    await connection.close();
    await expect(connection.waitForReady({ timeoutMs: 100 })).rejects.toThrow(/closed/);
  });

  it('outlives its registry: calls go on to the instances last known', async () => {
    const service = stage.unique();
    const registry = createRegistry(stage.client);
    await stage.serve(service, 'a');
    const { whos } = await stage.connectTo(service, {}, registry);
    await reachesAll(whos, 'a');
    await registry.close();
    await stage.serve(service, 'b'); // nobody tells it
    const again = createRegistry(stage.client);
    const { whos: others } = await stage.connectTo(service, {}, again);
    await reachesAll(others, 'a', 'b');
    expect(await tally(whos, 10)).toEqual({ answers: { a: 10 }, errors: {} });
    await expect(getConnection(registry, service)).rejects.toBeInstanceOf(ClosedError);
  });

  it('outlives its client, and says so when it has never known an instance', async () => {
    const service = stage.unique();
    const client = await connect(stage.etcd.connectOptions);
    const registry = createRegistry(client);
    await stage.serve(service, 'a');
    const { whos } = await stage.connectTo(service, {}, registry);
    const { whos: idle } = await stage.connectTo(stage.unique(), {}, registry);
    await reachesAll(whos, 'a');
    await client.close();
    expect(await tally(whos, 10)).toEqual({ answers: { a: 10 }, errors: {} });
    await expect(who(idle)).rejects.toThrow(/its registry is closed/);
  });
});
