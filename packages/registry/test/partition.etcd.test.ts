import { type CoordClient, connect, TimeoutError } from '@coord/client';
import { type EtcdServer, eventually, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRegistry, type Registration } from '../src/index.js';

const TTL_MS = 2_000;
let etcd: EtcdServer;
let proxy: Awaited<ReturnType<typeof startProxy>>;
/** The owner of the instance; only it is behind the proxy. */
let owner: CoordClient;
let other: CoordClient;
let names = 0;

beforeAll(async () => {
  etcd = await startEtcd();
  other = await connect(etcd.connectOptions);
});

beforeEach(async () => {
  proxy = await startProxy({ target: etcd.target });
  owner = await connect({ endpoints: [proxy.endpoint], requestTimeoutMs: 1_000 });
});

afterEach(async () => {
  await owner.close({ timeoutMs: 1_000 });
  await proxy.close();
});

afterAll(async () => {
  await other?.close();
  await etcd?.stop();
});

interface Registered {
  readonly name: string;
  readonly key: string;
  readonly registration: Registration;
}

async function registerBehindProxy(): Promise<Registered> {
  const name = `cut-${++names}`;
  const registry = createRegistry(owner, { ttlMs: TTL_MS });
  const registration = await registry.register({ name, id: 'a', address: '10.0.0.1:1' });
  return { name, key: `/services/${name}/a`, registration };
}

describe('an owner that is cut off from etcd', () => {
  it('is held on to by others, and back with one key when it can reach etcd again', async () => {
    const { name, key, registration } = await registerBehindProxy();
    const observer = createRegistry(other, { emptyHoldMs: 60_000 });
    expect(await observer.discover(name)).toHaveLength(1);
    proxy.blackhole();
    await eventually(async () => expect(await other.kv.get(key)).toBeUndefined(), { timeoutMs: 20_000 });
    expect(await observer.discover(name)).toHaveLength(1);
    expect(await observer.discover(name, { consistency: 'linearizable' })).toEqual([]);
    await proxy.heal();
    await eventually(() => expect(registration.state).toBe('registered'), { timeoutMs: 20_000 });
    expect((await other.kv.range({ prefix: `/services/${name}/` })).kvs).toMatchObject([{ version: 1 }]);
    await observer.close();
  });

  it('stays away when it was deregistered meanwhile, though it has lost its lease', async () => {
    const { name, key, registration } = await registerBehindProxy();
    const { revision } = await other.kv.range(key);
    proxy.blackhole();
    await createRegistry(other).deregister(name, 'a');
    await eventually(() => expect(registration.state).toBe('recovering'), { timeoutMs: 20_000 });
    await proxy.heal();
    await eventually(() => expect(registration.state).toBe('deregistered'), { timeoutMs: 20_000 });
    const types: string[] = [];
    const marker = `${key}-end`;
    await other.kv.put(marker, '');
    for await (const { events } of other.watch({ prefix: key }, { startRevision: revision + 1n })) {
      for (const event of events) types.push(event.key === marker ? 'end' : event.type);
      if (types.includes('end')) break;
    }
    expect(types).toEqual(['put', 'delete', 'end']); // the goodbye, the delete, and nothing else
  });

  it('gives way to a successor that has come and gone meanwhile', async () => {
    const { name, key, registration } = await registerBehindProxy();
    proxy.blackhole();
    const successor = await createRegistry(other).register({ name, id: 'a', address: '10.0.0.2:1' });
    await successor.deregister();
    await eventually(() => expect(registration.state).toBe('recovering'), { timeoutMs: 20_000 });
    await proxy.heal();
    await eventually(() => expect(registration.state).toBe('superseded'), { timeoutMs: 20_000 });
    expect(await other.kv.get(key)).toBeUndefined();
  });

  it('fails an update of its health in time, also behind another one', async () => {
    const { key, registration } = await registerBehindProxy();
    proxy.blackhole('toClient');
    const first = registration.updateHealth('unhealthy', { timeoutMs: 20_000 });
    const startedAt = performance.now();
    await expect(registration.updateHealth('maintenance', { timeoutMs: 100 })).rejects.toThrow(TimeoutError);
    expect(performance.now() - startedAt).toBeLessThan(700); // the first one's request takes 1,000
    proxy.heal('toClient');
    await first;
    expect(Reflect.get(Object((await other.kv.get(key))?.json()), 'health')).toBe('maintenance');
  });

  it('loses no update of its health over cuts', async () => {
    const { key, registration } = await registerBehindProxy();
    for (let i = 0; i < 5; i++) {
      const updated = registration.updateHealth(i % 2 ? 'healthy' : 'maintenance', { timeoutMs: 20_000 });
      proxy.cut();
      await proxy.heal();
      await updated;
    }
    const kv = await other.kv.get(key);
    expect(Reflect.get(Object(kv?.json()), 'health')).toBe('maintenance');
    expect(kv?.leaseId).toBeGreaterThan(0n);
  });
});
