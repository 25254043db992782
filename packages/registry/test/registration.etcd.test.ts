import {
  ClosedError,
  ConflictError,
  type CoordClient,
  connect,
  NotFoundError,
  ValidationError,
} from '@coord/client';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  createRegistry,
  type Registration,
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

const unique = () => `svc-${++names}`;
const keyOf = ({ service }: Registration) => `/services/${service.name}/${service.id}`;

function registryOf(of: CoordClient = client, config?: ServiceRegistryConfig): ServiceRegistry {
  const registry = createRegistry(of, config);
  registries.push(registry);
  return registry;
}

function instance(name: string, id: string, port = 8080) {
  return { name, id, address: '10.0.0.1', port };
}

/** Ends the lease of a key, as etcd does when its owner has been away for too long. */
async function revokeLeaseOf(key: string): Promise<void> {
  const kv = await other.kv.get(key);
  await other.etcd3.leaseClient.leaseRevoke({ ID: String(kv?.leaseId) });
}

describe('register', () => {
  it('is seen at once, by its own client and by others', async () => {
    const name = unique();
    const registry = registryOf();
    expect(await registry.discover(name)).toEqual([]);
    for (let i = 0; i < 10; i++) {
      await registry.register({ ...instance(name, `i${i}`), metadata: { a: 'b' }, tags: ['x'], zone: 'z' });
      expect(await registry.discover(name)).toHaveLength(i + 1);
    }
    const [first] = await registryOf(other).discover(name, { consistency: 'linearizable' });
    expect(first).toMatchObject({
      ...instance(name, 'i0'),
      health: 'healthy',
      weight: 1,
      zone: 'z',
      tags: ['x'],
    });
    expect(first?.registerTime.getTime()).toBeGreaterThan(Date.now() - 60_000);
    await eventually(async () => expect(await registryOf(other).discover(name)).toHaveLength(10));
  });

  it('shares one lease among the registrations of a client', async () => {
    const registry = registryOf();
    const name = unique();
    const both = [await registry.register(instance(name, 'a')), await registry.register(instance(name, 'b'))];
    const leases = await Promise.all(both.map(async (one) => (await client.kv.get(keyOf(one)))?.leaseId));
    expect(leases[0]).toBeGreaterThan(0n);
    expect(leases[0]).toBe(leases[1]);
  });

  it('makes an id when there is none', async () => {
    const name = unique();
    const { service } = await registryOf().register({ name, address: '[::1]:80' });
    expect(service.id).toMatch(/^[0-9a-f-]{36}$/);
    expect(await registryOf().discover(name)).toMatchObject([{ id: service.id, address: '::1', port: 80 }]);
  });

  it('refuses everything that is wrong at once, before any I/O', async () => {
    const registry = registryOf();
    const bad = { name: 'a/b', address: '', port: -1 };
    await expect(registry.register(bad, { ttlMs: 0, timeoutMs: -1 })).rejects.toSatisfy(
      (error) =>
        error instanceof ValidationError &&
        ['timeoutMs', 'ttlMs', 'service.name', 'service.port', 'service.address'].every((path) =>
          error.issues.some((issue) => issue.path === path),
        ),
    );
    await expect(
      registry.register({ name: 'x', address: 'a:1' }, { signal: AbortSignal.abort() }),
    ).rejects.toThrow(/abort/);
  });

  it.each([{ keyPrefix: '' }, { keyPrefix: '/' }, { ttlMs: 0 }, { ttlMs: Number.NaN }, { emptyHoldMs: -1 }])(
    'refuses the options %j',
    (config) => {
      expect(() => createRegistry(client, config)).toThrow(ValidationError);
    },
  );

  it('refuses options and clients that are none, here and everywhere', async () => {
    const registry = registryOf();
    const nothing: readonly unknown[] = [unique(), null];
    for (const method of [registry.register, registry.discover, registry.deregister]) {
      await expect(Reflect.apply(method, registry, nothing)).rejects.toThrow(ValidationError);
    }
    expect(() => Reflect.apply(registry.watchInstances, registry, nothing)).toThrow(ValidationError);
    expect(() => Reflect.apply(createRegistry, undefined, [client, null])).toThrow(ValidationError);
    expect(() => Reflect.apply(createRegistry, undefined, [{}])).toThrow(ValidationError);
    expect(() => Reflect.apply(createRegistry, undefined, [])).toThrow(ValidationError);
  });

  it('says so when it was ended by a close or a deregistration meanwhile', async () => {
    const registry = registryOf();
    const name = unique();
    const deregistered = registry.register(instance(name, 'a'));
    deregistered.catch(() => undefined);
    await registry.deregister(name, 'a');
    await expect(deregistered).rejects.toBeInstanceOf(NotFoundError);
    const closed = registry.register(instance(name, 'b'));
    closed.catch(() => undefined);
    await registry.close();
    await expect(closed).rejects.toBeInstanceOf(ClosedError);
    expect((await client.kv.range({ prefix: `/services/${name}/` })).kvs).toEqual([]);
  });

  it('keeps to its prefix', async () => {
    const name = unique();
    await registryOf(client, { keyPrefix: '/elsewhere/' }).register(instance(name, 'a'));
    expect(await client.kv.get(`/elsewhere/${name}/a`)).toBeDefined();
    expect(await registryOf().discover(name, { consistency: 'linearizable' })).toEqual([]);
  });
});

describe('a lost lease', () => {
  it('is replaced: the instance is back with one key, and its own state', async () => {
    const name = unique();
    const registry = registryOf(client, { ttlMs: 3_000 });
    const registration = await registry.register(instance(name, 'a'));
    const states: string[] = [];
    registration.subscribe((state) => states.push(state));
    await registryOf(other).updateHealth(name, 'a', 'maintenance');
    await eventually(() => expect(registration.service.health).toBe('maintenance'));
    const before = await other.kv.get(keyOf(registration));
    await revokeLeaseOf(keyOf(registration));
    await eventually(
      async () => {
        const after = await other.kv.get(keyOf(registration));
        expect(after?.leaseId).not.toBe(before?.leaseId);
        expect(after?.leaseId).toBeGreaterThan(0n);
        expect(registration.state).toBe('registered');
      },
      { timeoutMs: 15_000 },
    );
    expect((await other.kv.range({ prefix: `/services/${name}/` })).count).toBe(1);
    expect(states).toEqual(['recovering', 'registered']);
    expect(await registry.discover(name, { health: 'maintenance' })).toHaveLength(1);
  });

  it('brings back every registration exactly once', async () => {
    const name = unique();
    const registry = registryOf(client, { ttlMs: 4_000 });
    const all = await Promise.all(
      Array.from({ length: 30 }, (_, i) => registry.register(instance(name, `i${i}`))),
    );
    const [first] = all;
    if (!first) throw new Error('nothing registered');
    await revokeLeaseOf(keyOf(first));
    await eventually(
      async () => {
        expect(all.map(({ state }) => state)).toEqual(all.map(() => 'registered'));
        const { kvs } = await other.kv.range({ prefix: `/services/${name}/` });
        expect(kvs).toHaveLength(30);
        expect(kvs.every(({ version }) => version === 1)).toBe(true);
      },
      { timeoutMs: 15_000 },
    );
  });
});

describe('deregister', () => {
  it('removes, is idempotent, and is seen by its own client at once', async () => {
    const name = unique();
    const registry = registryOf();
    const registration = await registry.register(instance(name, 'a'));
    expect(await registry.discover(name)).toHaveLength(1);
    await registration.deregister();
    expect(await registry.discover(name)).toEqual([]);
    expect(registration.state).toBe('deregistered');
    await registration.deregister();
    await registry.deregister(name, 'a');
    await registry.deregister(name, 'never-there');
    await expect(registration.updateHealth('healthy')).rejects.toBeInstanceOf(NotFoundError);
    await registration[Symbol.asyncDispose]();
  });

  it('says goodbye before the delete, keeping the lease', async () => {
    const name = unique();
    const registration = await registryOf().register(instance(name, 'a'));
    const { leaseId } = (await client.kv.get(keyOf(registration))) ?? {};
    const watch = other.watch(keyOf(registration));
    await watch.ready;
    await registration.deregister();
    const seen: unknown[] = [];
    for await (const { events } of watch) {
      for (const { type, kv } of events) {
        seen.push(type === 'put' ? [type, Reflect.get(Object(kv.json()), 'leaving'), kv.leaseId] : [type]);
      }
      if (seen.length === 2) break;
    }
    expect(seen).toEqual([['put', true, leaseId], ['delete']]);
  });

  it('ends a registration of another process for good', async () => {
    const name = unique();
    const registration = await registryOf().register(instance(name, 'a'));
    await registryOf(other).deregister(name, 'a');
    await eventually(() => expect(registration.state).toBe('deregistered'));
    expect(await other.kv.get(keyOf(registration))).toBeUndefined();
  });

  it('is believed also when it was a bare delete while the lease lives', async () => {
    const name = unique();
    const registration = await registryOf().register(instance(name, 'a'));
    await other.kv.delete(keyOf(registration));
    await eventually(() => expect(registration.state).toBe('deregistered'), { timeoutMs: 10_000 });
    expect(await other.kv.get(keyOf(registration))).toBeUndefined();
  });

  it('by id alone finds the one service that has it', async () => {
    const [a, b] = [unique(), unique()];
    const registry = registryOf();
    await registry.register(instance(a, `${a}-only`));
    await registry.unregister(`${a}-only`);
    expect(await registry.discover(a)).toEqual([]);
    await registry.register(instance(a, `${a}-twin`));
    await registry.register(instance(b, `${a}-twin`));
    await expect(registryOf(other).unregister(`${a}-twin`)).rejects.toBeInstanceOf(ConflictError);
    await registryOf(other).unregister('nobody');
  });

  it('is not skipped by a close that was given bad options', async () => {
    const registry = createRegistry(client);
    const registration = await registry.register(instance(unique(), 'a'));
    await expect(registry.close({ timeoutMs: -1 })).rejects.toBeInstanceOf(ValidationError);
    await expect(registry.close({ signal: AbortSignal.abort() })).rejects.toThrow(/aborted/);
    expect(registration.state).toBe('registered');
    await registry.close();
    expect(registration.state).toBe('deregistered');
    expect(await other.kv.get(keyOf(registration))).toBeUndefined();
  });

  it('of the registry takes everything along when that closes', async () => {
    const name = unique();
    const registry = registryOf();
    const registration = await registry.register(instance(name, 'a'));
    await registry.close();
    await registry.close();
    expect(registration.state).toBe('deregistered');
    expect(await other.kv.get(keyOf(registration))).toBeUndefined();
    await expect(registry.discover(name)).rejects.toBeInstanceOf(ClosedError);
    expect(() => registry.watch(name)).toThrow(ClosedError);
  });
});

describe('an id registered again', () => {
  it.each(['the same', 'another'])(
    'by %s process replaces the earlier one, which never fights',
    async (who) => {
      const name = unique();
      const firstRegistry = registryOf();
      const first = await firstRegistry.register(instance(name, 'a', 1));
      const second = await registryOf(who === 'another' ? other : client).register(instance(name, 'a', 2));
      await eventually(() => expect(first.state).toBe('superseded'));
      await expect(first.updateHealth('unhealthy')).rejects.toBeInstanceOf(ConflictError);
      await first.deregister();
      for (let time = 0; time < 3; time++) await firstRegistry.deregister(name, 'a');
      await firstRegistry.unregister('a');
      await expect(firstRegistry.updateHealth(name, 'a', 'maintenance')).rejects.toBeInstanceOf(
        ConflictError,
      );
      await firstRegistry.close();
      expect(second.state).toBe('registered');
      expect(await registryOf().discover(name, { consistency: 'linearizable' })).toMatchObject([
        { port: 2, health: 'healthy' },
      ]);
    },
  );

  it("is its registry's again after it was taken over elsewhere", async () => {
    const name = unique();
    const registry = registryOf();
    const first = await registry.register(instance(name, 'a', 1));
    const second = await registryOf(other).register(instance(name, 'a', 2));
    await eventually(() => expect(first.state).toBe('superseded'));
    const third = await registry.register(instance(name, 'a', 3));
    await eventually(() => expect(second.state).toBe('superseded'));
    await registry.updateHealth(name, 'a', 'maintenance');
    expect(third.service.health).toBe('maintenance');
    await registry.deregister(name, 'a');
    expect(await registry.discover(name, { consistency: 'linearizable', health: 'any' })).toEqual([]);
    await registryOf(other).register(instance(name, 'a', 4));
    await registry.deregister(name, 'a'); // ours is gone in good order: now the id is anybody's
    expect(await registry.discover(name, { consistency: 'linearizable' })).toEqual([]);
  });

  it('in one registry belongs to the new registration', async () => {
    const name = unique();
    const registry = registryOf();
    const first = await registry.register(instance(name, 'a', 1));
    await registry.register(instance(name, 'a', 2));
    await eventually(() => expect(first.state).toBe('superseded'));
    await registry.deregister(name, 'a');
    expect(await registry.discover(name, { consistency: 'linearizable' })).toEqual([]);
  });

  it('can come back after a deregistration', async () => {
    const name = unique();
    const registry = registryOf();
    for (let port = 1; port <= 3; port++) {
      const registration = await registry.register(instance(name, 'a', port));
      expect(await registry.discover(name)).toMatchObject([{ port }]);
      await registration.deregister();
      expect(await registry.discover(name)).toEqual([]);
    }
  });
});

describe('updateHealth', () => {
  it('keeps the lease, whoever does it', async () => {
    const name = unique();
    const registry = registryOf();
    const registration = await registry.register(instance(name, 'a'));
    const { leaseId } = (await client.kv.get(keyOf(registration))) ?? {};
    const updates = [
      () => registration.updateHealth('unhealthy'),
      () => registry.updateHealth(name, 'a', 'maintenance'),
      () => registryOf(other).updateHealth(name, 'a', 'unknown'),
      () => registration.updateHealth('healthy'),
    ];
    for (const update of updates) {
      await update();
      expect((await other.kv.get(keyOf(registration)))?.leaseId).toBe(leaseId);
    }
    expect(leaseId).toBeGreaterThan(0n);
    expect(await registry.discover(name)).toHaveLength(1);
  });

  it('leaves alone what only the writer of the value knows', async () => {
    const name = unique();
    const key = `/services/${name}/go`;
    await other.kv.put(key, '{"Op":0,"Addr":"1.2.3.4:80","Metadata":{"a":"b"},"Own":[1]}');
    await registryOf().updateHealth(name, 'go', 'unhealthy');
    expect((await other.kv.get(key))?.json()).toEqual({
      Op: 0,
      Addr: '1.2.3.4:80',
      Metadata: { a: 'b' },
      Own: [1],
      health: 'unhealthy',
    });
  });

  it('refuses what is not there, or not a status', async () => {
    await expect(registryOf().updateHealth(unique(), 'a', 'healthy')).rejects.toBeInstanceOf(NotFoundError);
    const registration = await registryOf().register(instance(unique(), 'a'));
    // @ts-expect-error a status that does not exist
    await expect(registration.updateHealth('fine')).rejects.toBeInstanceOf(ValidationError);
  });

  it('waits for a registration that is under way, and is for the newest of an id', async () => {
    const registry = registryOf();
    const name = unique();
    await Promise.all([
      registry.register(instance(name, 'a')),
      registry.updateHealth(name, 'a', 'maintenance'),
    ]);
    expect(await registry.discover(name, { health: 'maintenance' })).toHaveLength(1);
    await Promise.all([
      registry.register(instance(name, 'a')),
      registry.updateHealth(name, 'a', 'unhealthy'),
    ]);
    expect(await registry.discover(name, { health: 'unhealthy' })).toHaveLength(1);
  });

  it('of many at once leaves the last one asked for', async () => {
    const registration = await registryOf().register(instance(unique(), 'a'));
    await Promise.all(
      (['unhealthy', 'maintenance', 'unknown', 'healthy'] as const).map((status) =>
        registration.updateHealth(status),
      ),
    );
    const kv = await other.kv.get(keyOf(registration));
    expect(Reflect.get(Object(kv?.json()), 'health')).toBe('healthy');
  });
});
