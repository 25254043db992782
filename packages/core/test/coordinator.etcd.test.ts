import { type EtcdServer, eventually, startEtcd, startProxy } from '@coord/testkit';
import { connectivityState, Server, ServerCredentials } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  AbortedError,
  ClosedError,
  ConnectionError,
  type CoordConfigInput,
  type Coordinator,
  createCoordinator,
  defaultConfig,
  LockConflictError,
} from '../src/index.js';

let etcd: EtcdServer;
const made: Coordinator[] = [];
let names = 0;

beforeAll(async () => {
  etcd = await startEtcd();
});

afterEach(async () => {
  await Promise.all(made.splice(0).map((coordinator) => coordinator.close({ timeoutMs: 2_000 })));
});

afterAll(async () => {
  await etcd?.stop();
});

const unique = () => `core-${++names}`;

async function create(config: CoordConfigInput = {}): Promise<Coordinator> {
  const coordinator = await createCoordinator({ ...etcd.connectOptions, ...config });
  made.push(coordinator);
  return coordinator;
}

describe('createCoordinator', () => {
  it('wires every part over one client', async () => {
    const name = unique();
    const coordinator = await create();
    const { version, latencyMs } = await coordinator.ping();
    expect(version).toBe(etcd.version);
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
    const coordinator = await createCoordinator({ ...etcd.connectOptions, logLevel: 'debug' }, { logger });
    made.push(coordinator);
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
    const created = createCoordinator(etcd.connectOptions, { signal: AbortSignal.abort('no') });
    await expect(created).rejects.toMatchObject({ name: 'AbortedError', cause: 'no' });
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

describe('close', () => {
  it('deregisters and releases at once: nobody waits for a TTL', async () => {
    const name = unique();
    const [leaving, staying] = await Promise.all([create(), create()]);
    const lock = await leaving.lock.acquire(name);
    await leaving.registry.register({ name, address: '10.0.0.1:80' });
    await expect(staying.lock.tryAcquire(name)).rejects.toBeInstanceOf(LockConflictError);

    await leaving.close();
    const next = await staying.lock.tryAcquire(name);
    expect(next.fencingToken).toBeGreaterThan(lock.fencingToken);
    expect(lock.signal.aborted).toBe(true);
    expect(await staying.registry.discover(name, { consistency: 'linearizable' })).toEqual([]);
  });

  it('deregisters before it releases', async () => {
    const name = unique();
    const [leaving, watching] = await Promise.all([create(), create()]);
    const lock = await leaving.lock.acquire(name);
    await leaving.registry.register({ name, id: 'one', address: '10.0.0.1:80' });
    const watch = watching.client.watch({ prefix: '/' });
    await watch.ready;
    await leaving.close();
    const deleted: string[] = [];
    for await (const { events } of watch) {
      for (const { type, key } of events) if (type === 'delete') deleted.push(key);
      if (deleted.includes(lock.etcdKey)) break;
    }
    expect(deleted.filter((key) => key.includes(name))).toEqual([`/services/${name}/one`, lock.etcdKey]);
  });

  it('is idempotent, also at the same time, and as a disposal', async () => {
    const coordinator = await create();
    await Promise.all([coordinator.close(), coordinator.close(), coordinator[Symbol.asyncDispose]()]);
    await coordinator.close();
    await expect(coordinator.ping()).rejects.toBeInstanceOf(ClosedError);
    await expect(coordinator.lock.acquire('x')).rejects.toBeInstanceOf(ClosedError);
    await expect(coordinator.registry.discover('x')).rejects.toBeInstanceOf(ClosedError);
    await expect(coordinator.config.get('x')).rejects.toBeInstanceOf(ClosedError);
  });

  it('takes no longer than it was given while etcd is silent', async () => {
    await using proxy = await startProxy({ target: etcd.target });
    const coordinator = await create({ endpoints: [proxy.endpoint] });
    const name = unique();
    await coordinator.lock.acquire(name);
    await coordinator.registry.register({ name, address: '10.0.0.1:80' });
    proxy.blackhole();
    const startedAt = performance.now();
    await coordinator.close({ timeoutMs: 800 });
    const took = performance.now() - startedAt;
    expect(took).toBeGreaterThan(300);
    expect(took).toBeLessThan(2_500);
  });

  it('is cut short by a signal', async () => {
    await using proxy = await startProxy({ target: etcd.target });
    const coordinator = await create({ endpoints: [proxy.endpoint] });
    await coordinator.lock.acquire(unique());
    proxy.blackhole();
    const startedAt = performance.now();
    await coordinator.close({ timeoutMs: 30_000, signal: AbortSignal.timeout(200) });
    expect(performance.now() - startedAt).toBeLessThan(2_500);
    await expect(coordinator.ping()).rejects.toBeInstanceOf(ClosedError);
  });

  it('closes nothing for bad options or a signal that has fired', async () => {
    const coordinator = await create();
    await expect(coordinator.close({ timeoutMs: -1 })).rejects.toThrow('timeoutMs');
    await expect(coordinator.close({ signal: AbortSignal.abort() })).rejects.toBeInstanceOf(AbortedError);
    await expect(coordinator.ping()).resolves.toMatchObject({ version: etcd.version });
  });

  it('leaves nothing in etcd that lives on a lease', async () => {
    const name = unique();
    const coordinator = await create();
    await coordinator.lock.acquire(name);
    await coordinator.registry.register({ name, address: '10.0.0.1:80' });
    await coordinator.close();
    const other = await create();
    await eventually(async () => {
      const { kvs } = await other.client.kv.range({ prefix: '/' });
      expect(kvs.filter((kv) => kv.key.includes(name) && kv.leaseId !== 0n)).toEqual([]);
    });
  });
});
