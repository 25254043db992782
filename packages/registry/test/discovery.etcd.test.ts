import { type CoordClient, connect, ValidationError } from '@coord/client';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  createRegistry,
  type ServiceInfo,
  type ServiceRegistry,
  type ServiceRegistryConfig,
} from '../src/index.js';

let etcd: EtcdServer;
let client: CoordClient;
let other: CoordClient;
const registries: ServiceRegistry[] = [];
let names = 0;

beforeAll(async () => {
  etcd = await startEtcd();
  client = await connect(etcd.connectOptions);
  other = await connect(etcd.connectOptions);
});

afterEach(async () => {
  await Promise.all(registries.splice(0).map((registry) => registry.close()));
});

afterAll(async () => {
  await Promise.all([client?.close(), other?.close()]);
  await etcd?.stop();
});

const unique = () => `found-${++names}`;
const ids = (services: readonly { id: string }[]) => services.map(({ id }) => id);

function registryOf(of: CoordClient = client, config?: ServiceRegistryConfig): ServiceRegistry {
  const registry = createRegistry(of, config);
  registries.push(registry);
  return registry;
}

const instance = (name: string, id: string, port = 8080) => ({ name, id, address: '10.0.0.1', port });
const put = (name: string, id: string, value: unknown) =>
  other.kv.put(`/services/${name}/${id}`, typeof value === 'string' ? value : JSON.stringify(value));

describe('discover', () => {
  it('does not take a service for another whose name it begins with', async () => {
    const name = unique();
    const registry = registryOf();
    await registry.register(instance(name, 'a'));
    await registry.register(instance(`${name}-admin`, 'b'));
    for (const consistency of ['cached', 'linearizable'] as const) {
      expect(ids(await registry.discover(name, { consistency }))).toEqual(['a']);
    }
    expect((await registry.listServices()).filter((service) => service.startsWith(name))).toEqual([
      name,
      `${name}-admin`,
    ]);
  });

  it("finds what Go's official client and the Go original wrote, and leaves garbage out", async () => {
    const name = unique();
    await put(name, 'go', { Op: 0, Addr: '1.2.3.4:80' });
    await put(name, 'original', { id: 'original', name, address: '1.2.3.5', port: 81, metadata: { a: 'b' } });
    await put(name, 'text', 'hello');
    await put(name, 'list', []);
    await put(name, 'nowhere', { id: 'nowhere' });
    await put(name, 'huge', { Addr: '1.2.3.6:80', pad: 'x'.repeat(70_000) });
    await put(name, 'deeper/key', { Addr: '1.2.3.7:80' });
    for (const consistency of ['cached', 'linearizable'] as const) {
      expect(await registryOf().discover(name, { consistency })).toMatchObject([
        { name, id: 'go', address: '1.2.3.4', port: 80, health: 'healthy' },
        { name, id: 'original', address: '1.2.3.5', port: 81, metadata: { a: 'b' } },
      ]);
    }
  });

  it('returns the healthy ones, unless told otherwise', async () => {
    const name = unique();
    const registry = registryOf();
    await registry.register({ ...instance(name, 'a'), metadata: { canary: 'yes' } });
    await registry.register(instance(name, 'b'));
    await registry.register({ ...instance(name, 'sick'), health: 'unhealthy' });
    for (const consistency of ['cached', 'linearizable'] as const) {
      expect(ids(await registry.discover(name, { consistency }))).toEqual(['a', 'b']);
      expect(ids(await registry.discover(name, { consistency, health: 'any' }))).toEqual(['a', 'b', 'sick']);
      expect(ids(await registry.discover(name, { consistency, health: 'unhealthy' }))).toEqual(['sick']);
      const filter = (service: { metadata: Record<string, string> }) => service.metadata.canary === 'yes';
      expect(ids(await registry.discover(name, { consistency, filter }))).toEqual(['a']);
    }
  });

  it.each([
    ['', {}],
    ['a/b', {}],
    ['a', { health: 'good' }],
    ['a', { consistency: 'eventual' }],
    ['a', { filter: 'x' }],
    ['a', { timeoutMs: 0 }],
  ])('refuses %j %j', async (name, options) => {
    await expect(registryOf().discover(name, Object(options))).rejects.toBeInstanceOf(ValidationError);
  });
});

describe('watch', () => {
  it('starts with what is there and goes on without a gap', async () => {
    const name = unique();
    const registry = registryOf();
    await put(name, 'first', { Addr: 'a:1' });
    const watch = registryOf(other).watch(name);
    const writing = (async () => {
      for (let port = 1; port <= 50; port++) await put(name, 'counter', { Addr: `a:${port}` });
      const registration = await registry.register(instance(name, 'mine'));
      await registration.updateHealth('maintenance');
      await registration.deregister();
      await put(name, 'first', 'garbage');
      await client.kv.delete(`/services/${name}/counter`);
    })();
    const events: string[] = [];
    const ports: number[] = [];
    for await (const { type, service, previous } of watch) {
      if (service.id === 'counter' && type === 'put') {
        ports.push(service.port);
        if (ports.length > 1) expect(previous?.port).toBe(service.port - 1);
        continue;
      }
      events.push(`${type} ${service.id} ${previous?.health ?? '-'}>${service.health}`);
      if (type === 'delete' && service.id === 'counter') break;
    }
    await writing;
    expect(events).toEqual([
      'put first ->healthy',
      'put mine ->healthy',
      'put mine healthy>maintenance',
      'delete mine maintenance>maintenance',
      'delete first healthy>healthy',
      'delete counter healthy>healthy',
    ]);
    const [firstPort = 0] = ports;
    expect(ports).toEqual(Array.from({ length: 51 - firstPort }, (_, i) => firstPort + i));
  });

  it('ends on close, and with the registry', async () => {
    const registry = registryOf();
    const watch = registry.watch(unique());
    const next = watch.next();
    await watch.close();
    expect(await next).toMatchObject({ done: true });
    const second = registry.watch(unique());
    const instances = registry.watchInstances(unique());
    expect(await instances.next()).toEqual({ done: false, value: [] });
    const both = Promise.all([second.next(), instances.next()]);
    await registry.close();
    expect(await both).toMatchObject([{ done: true }, { done: true }]);
  });
});

describe('watchInstances', () => {
  it('yields the list first, then at each change, and only the newest to the slow', async () => {
    const name = unique();
    const registry = registryOf();
    const fast = registry.watchInstances(name);
    const slow = registry.watchInstances(name);
    const all = registry.watchInstances(name, { health: 'any' });
    expect((await fast.next()).value).toEqual([]);
    for (let i = 0; i < 5; i++) {
      await registry.register(instance(name, `i${i}`));
      expect((await fast.next()).value).toHaveLength(i + 1);
    }
    await registry.updateHealth(name, 'i0', 'maintenance');
    expect(ids((await fast.next()).value ?? [])).toEqual(['i1', 'i2', 'i3', 'i4']);
    expect((await slow.next()).value).toHaveLength(4);
    expect((await all.next()).value).toHaveLength(5);
    await Promise.all([fast.close(), slow.close(), all.close()]);
  });
});

describe('a filter that throws', () => {
  it('ends watchInstances with its error, at once or later', async () => {
    const name = unique();
    const filter = (service: ServiceInfo) => {
      throw new Error(`no ${service.id}`);
    };
    const registry = registryOf();
    const waiting = registry.watchInstances(name, { filter });
    expect(await waiting.next()).toEqual({ done: false, value: [] });
    const broken = expect(waiting.next()).rejects.toThrow('no a');
    await registry.register({ name, id: 'a', address: '10.0.0.1:1' });
    await broken;
    await expect(registry.watchInstances(name, { filter }).next()).rejects.toThrow('no a');
    await expect(registry.discover(name, { filter })).rejects.toThrow('no a');
  });
});

describe('instances that vanish without a word', () => {
  it('are held for emptyHoldMs when nobody else is left, except for watches and linearizable reads', async () => {
    const name = unique();
    const registry = registryOf(client, { emptyHoldMs: 2_000 });
    await put(name, 'a', { Addr: 'a:1' });
    await put(name, 'b', { Addr: 'b:1' });
    expect(await registry.discover(name)).toHaveLength(2);
    const watch = registry.watch(name);
    await watch.next();
    await watch.next();
    const instances = registry.watchInstances(name);
    await instances.next();
    const startedAt = performance.now();
    await other.kv.delete({ prefix: `/services/${name}/` });
    expect((await watch.next()).value).toMatchObject({ type: 'delete' });
    await watch.close();
    expect(await registry.discover(name, { consistency: 'linearizable' })).toEqual([]);
    expect(await registry.discover(name)).toHaveLength(2);
    expect(await instances.next()).toEqual({ done: false, value: [] });
    expect(performance.now() - startedAt).toBeGreaterThan(1_900);
    expect(await registry.discover(name)).toEqual([]);
    await instances.close();
  });

  it('are believed at once with emptyHoldMs 0, or when somebody is left', async () => {
    const name = unique();
    const off = registryOf(client, { emptyHoldMs: 0 });
    const on = registryOf(client, { emptyHoldMs: 60_000 });
    await put(name, 'a', { Addr: 'a:1' });
    await put(name, 'b', { Addr: 'b:1' });
    for (const registry of [off, on]) expect(await registry.discover(name)).toHaveLength(2);
    await other.kv.delete(`/services/${name}/a`);
    for (const registry of [off, on]) {
      await eventually(async () => expect(ids(await registry.discover(name))).toEqual(['b']));
    }
    await other.kv.delete(`/services/${name}/b`);
    await eventually(async () => expect(await off.discover(name)).toEqual([]));
    expect(ids(await on.discover(name))).toEqual(['b']);
  });

  it('are not held when they said goodbye', async () => {
    const name = unique();
    const registry = registryOf(other, { emptyHoldMs: 60_000 });
    const registration = await registryOf().register(instance(name, 'a'));
    await eventually(async () => expect(await registry.discover(name)).toHaveLength(1));
    await registration.deregister();
    await eventually(async () => expect(await registry.discover(name)).toEqual([]));
  });
});
