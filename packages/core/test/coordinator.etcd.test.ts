import { eventually, startProxy } from '@coord/testkit';
import { connectivityState, Server, ServerCredentials } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import {
  ClosedError,
  ConnectionError,
  type CoordConfigInput,
  createCoordinator,
  defaultConfig,
} from '../src/index.js';
import { useCoordinators } from './coordinators.js';

const coordinators = useCoordinators();
const unique = () => coordinators.unique();
const create = (config?: CoordConfigInput) => coordinators.create(config);

describe('createCoordinator', () => {
  it('wires every part over one client', async () => {
    const name = unique();
    const coordinator = await create();
    const { version, latencyMs } = await coordinator.ping();
    expect(version).toBe(coordinators.etcd.version);
    expect(latencyMs).toBeGreaterThan(0);

    const lock = await coordinator.lock.acquire(name);
    await coordinator.registry.register({ name, address: '10.0.0.1:80' });
    await coordinator.config.set(name, { port: 1 });
    expect((await coordinator.registry.discover(name)).map(({ port }) => port)).toEqual([80]);
    expect((await coordinator.config.get(name)).value).toEqual({ port: 1 });
    expect((await coordinator.client.kv.get(lock.etcdKey))?.createRevision).toBe(lock.fencingToken);
  });

  it('puts keys where the defaults say', async () => {
    const name = unique();
    const { serviceRegistry, distributedLock, configCenter } = defaultConfig();
    const coordinator = await create();
    const lock = await coordinator.lock.acquire(name);
    const { service } = await coordinator.registry.register({ name, address: '10.0.0.1:80' });
    await coordinator.config.set(name, 'x');
    expect(lock.etcdKey.startsWith(`${distributedLock.keyPrefix}/${name}/`)).toBe(true);
    const { kv } = coordinator.client;
    expect(await kv.get(`${serviceRegistry.keyPrefix}/${name}/${service.id}`)).toBeDefined();
    expect((await kv.get(`${configCenter.keyPrefix}/${name}`))?.text()).toBe('x');
  });

  it('hands each section to its part', async () => {
    const name = unique();
    const coordinator = await create({
      distributedLock: { keyPrefix: '/my-locks' },
      serviceRegistry: { keyPrefix: '/my-services' },
      configCenter: { keyPrefix: '/my-config', enableVersioning: false },
    });
    const lock = await coordinator.lock.acquire(name);
    expect(lock.etcdKey).toMatch(/^\/my-locks\//);
    await coordinator.registry.register({ name, id: 'one', address: '10.0.0.1:80' });
    expect(await coordinator.client.kv.get(`/my-services/${name}/one`)).toBeDefined();
    expect((await coordinator.config.set(name, 1)).version).toBe(0);
    expect(await coordinator.client.kv.get(`/my-config/${name}`)).toBeDefined();
  });

  it('logs through the given logger', async () => {
    const lines: unknown[] = [];
    const log = (...args: unknown[]) => void lines.push(args[0]);
    const logger = { error: log, warn: log, info: log, debug: log };
    const config = { ...coordinators.etcd.connectOptions, logLevel: 'debug' } as const;
    const coordinator = coordinators.closeLater(await createCoordinator(config, { logger }));
    await coordinator.lock.withLock(unique(), () => undefined);
    expect(lines).toContain('coord: lock acquire');
  });

  it('rejects when no etcd answers, naming the endpoint', async () => {
    const config = { endpoints: ['127.0.0.1:1'], dialTimeoutMs: 500 };
    const failed = createCoordinator(config);
    await expect(failed).rejects.toBeInstanceOf(ConnectionError);
    await expect(failed).rejects.toThrow('127.0.0.1:1');
  });

  it('rejects with an aborted signal, before any I/O', async () => {
    const created = createCoordinator(coordinators.etcd.connectOptions, { signal: AbortSignal.abort('no') });
    await expect(created).rejects.toMatchObject({ name: 'AbortedError', cause: 'no' });
  });

  it('leaves no connection behind when it is aborted on the way', async () => {
    await using proxy = await startProxy({ target: coordinators.etcd.target });
    proxy.blackhole();
    const stop = new AbortController();
    const config = { endpoints: [proxy.endpoint], dialTimeoutMs: 60_000 };
    const created = createCoordinator(config, { signal: stop.signal });
    const outcome = expect(created).rejects.toMatchObject({ name: 'AbortedError', cause: 'enough' });
    await eventually(() => proxy.connections > 0, { timeoutMs: 20_000 });
    stop.abort('enough');
    await outcome;
    proxy.heal(); // for the goodbye to pass
    await eventually(() => proxy.connections === 0, { timeoutMs: 20_000 });
  });

  it('refuses options beside the configuration that do not exist, a bad logger among them', async () => {
    const { connectOptions } = coordinators.etcd;
    const misspelt: object = { looger: console };
    await expect(createCoordinator(connectOptions, misspelt)).rejects.toThrow('options.looger: is no option');
    await expect(createCoordinator(connectOptions, JSON.parse('null'))).rejects.toThrow('options: must be');
    const noLogger = JSON.parse('{ "logger": 5 }');
    await expect(createCoordinator({ dialTimeoutMs: -1 }, noLogger)).rejects.toMatchObject({
      issues: expect.arrayContaining([
        expect.objectContaining({ path: 'logger' }),
        expect.objectContaining({ path: 'dialTimeoutMs' }),
      ]),
    });
  });
});

describe('getConnection', () => {
  it('follows the registry, and ends with the coordinator', async () => {
    const name = unique();
    const coordinator = await create();
    const kept = await coordinator.getConnection(name);
    const closed = await coordinator.getConnection(name);
    await closed.close();
    expect(kept.target).toContain(name);
    await coordinator.close();
    expect(kept.channel.getConnectivityState(false)).toBe(connectivityState.SHUTDOWN);
    await expect(coordinator.getConnection(name)).rejects.toBeInstanceOf(ClosedError);
  });

  it('balances by any strategy', async () => {
    const name = unique();
    const coordinator = await create();
    const server = new Server();
    try {
      const port = await new Promise<number>((resolve, reject) => {
        server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
          error ? reject(error) : resolve(bound),
        );
      });
      await coordinator.registry.register({ name, address: '127.0.0.1', port, zone: 'here' });
      for (const options of [
        { strategy: 'weighted', zone: 'here' },
        { strategy: 'ring_hash', hashKey: 'user-id' },
      ] as const) {
        const connection = await coordinator.getConnection(name, options);
        await connection.waitForReady({ timeoutMs: 10_000 });
      }
      const unknown: object = { strategy: 'fastest' };
      await expect(coordinator.getConnection(name, unknown)).rejects.toThrow(/least_conn/);
    } finally {
      server.forceShutdown();
    }
  });
});
