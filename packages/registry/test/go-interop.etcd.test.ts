import { type CoordClient, connect, ValidationError } from '@coord/client';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createRegistry,
  goKratosCodec,
  goZeroCodec,
  type ServiceCodec,
  type ServiceInfo,
  type ServiceRegistry,
} from '../src/index.js';
import { type GoPeer, goPeer } from './go-peer/peer.js';

let etcd: EtcdServer;
let client: CoordClient;
let go: GoPeer;

beforeAll(async () => {
  etcd = await startEtcd();
  client = await connect(etcd.connectOptions);
  go = await goPeer(etcd, client);
  await go.write();
});

afterAll(async () => {
  await client?.close();
  await etcd?.stop();
});

/** What every way of reading finds: cached, linearizable, as a list and as events. */
async function everyWay(registry: ServiceRegistry, service: string): Promise<ServiceInfo[]> {
  const cached = await registry.discover(service, { health: 'any' });
  expect(await registry.discover(service, { health: 'any', consistency: 'linearizable' })).toEqual(cached);
  await using list = registry.watchInstances(service, { health: 'any' });
  expect((await list.next()).value).toEqual(cached);
  await using events = registry.watch(service);
  for (const instance of cached)
    expect((await events.next()).value).toEqual({ type: 'put', service: instance });
  return cached;
}

describe('Coord discovers what Go registers', () => {
  it('with etcd’s own naming package', async () => {
    expect(await everyWay(createRegistry(client), 'official')).toMatchObject([
      { id: 'metadata', address: '::1', port: 8081, metadata: { zone: 'a', weight: '3' }, health: 'healthy' },
      { id: 'plain', address: '10.0.0.1', port: 8080, metadata: {}, health: 'healthy', weight: 1 },
      { id: 'text', address: 'host.example', port: 8082, metadata: {} },
    ]);
  });

  it('with the Go original', async () => {
    expect(await everyWay(createRegistry(client), 'original')).toMatchObject([
      { name: 'original', id: 'user-1', address: '127.0.0.1', port: 8080, metadata: { version: '1.0.0' } },
      { name: 'original', id: 'user-2', address: '127.0.0.2', port: 8081, metadata: {} },
    ]);
  });

  it('with the other Go design, which numbers the states', async () => {
    const registry = createRegistry(client);
    expect(await everyWay(registry, 'numbered')).toMatchObject([
      { id: 'healthy', address: '10.0.1.1', port: 80, health: 'healthy' },
      { id: 'maintenance', health: 'maintenance' },
      { id: 'unhealthy', health: 'unhealthy' },
      { id: 'unknown', health: 'unknown', registerTime: new Date('2026-01-01T19:04:05.006Z') },
    ]);
    expect(await registry.discover('numbered')).toHaveLength(1);
  });

  it('with go-kratos', async () => {
    const registry = createRegistry(client, { codec: goKratosCodec() });
    expect(await everyWay(registry, 'helloworld')).toMatchObject([
      { name: 'helloworld', id: 'kratos-1', address: '10.0.2.1', port: 9000, version: 'v1.0.0', weight: 10 },
      { id: 'kratos-2', address: '2001:db8::1', port: 9000, version: 'v1.1.0', weight: 1, metadata: {} },
    ]);
    const web = createRegistry(client, { codec: goKratosCodec({ scheme: 'http' }) });
    expect(await everyWay(web, 'helloworld')).toMatchObject([
      { id: 'kratos-1', port: 8000 },
      { id: 'kratos-3', address: '10.0.2.3', port: 8000 },
    ]);
    expect(await registry.listServices()).toEqual(['helloworld']);
  });

  it('with go-zero', async () => {
    const registry = createRegistry(client, { codec: goZeroCodec() });
    expect(await everyWay(registry, 'greet.rpc')).toMatchObject([
      { name: 'greet.rpc', id: '7', address: '10.0.3.2', port: 8080 },
      { name: 'greet.rpc', id: '7587848943239472133', address: '10.0.3.1', port: 8080 },
    ]);
    await client.kv.put('greet.rpc/notes', 'nothing of theirs');
    expect(await registry.discover('greet.rpc')).toHaveLength(2);
    expect(await registry.listServices()).toEqual(['greet.rpc', 'greet.rpc.admin']);
  });
});

describe('Go reads what Coord registers', () => {
  it('with etcd’s own naming package, its gRPC resolver and the Go original', async () => {
    const registry = createRegistry(client);
    const name = 'from-coord';
    await registry.register({ name, id: 'plain', address: '10.0.0.1', port: 8080 });
    await registry.register({
      name,
      id: 'rich',
      address: '[2001:db8::7]:9000',
      metadata: { version: '2.0', é: '"quoted"' },
      health: 'maintenance',
      weight: 0.5,
      zone: 'eu',
      version: '3.1',
      tags: ['x', 'y'],
    });
    const reading = await go.read(name);
    expect(reading).toEqual({
      manager: {
        '/services/from-coord/plain': { Addr: '10.0.0.1:8080', Metadata: {} },
        '/services/from-coord/rich': {
          Addr: '[2001:db8::7]:9000',
          Metadata: { version: '2.0', é: '"quoted"' },
        },
      },
      resolver: '10.0.0.1:8080 [2001:db8::7]:9000',
      original: {
        plain: { id: 'plain', name, address: '10.0.0.1', port: 8080 },
        rich: {
          id: 'rich',
          name,
          address: '2001:db8::7',
          port: 9000,
          metadata: { version: '2.0', é: '"quoted"' },
        },
      },
    });
    await registry.close();
  });
});

describe('a registry with a codec', () => {
  it('never writes', async () => {
    const registry = createRegistry(client, { codec: goKratosCodec() });
    const { revision } = await client.kv.range('nothing');
    const calls = [
      registry.register({ name: 'helloworld', address: 'a:1' }),
      registry.deregister('helloworld', 'kratos-1'),
      registry.unregister('kratos-1'),
      registry.updateHealth('helloworld', 'kratos-1', 'unhealthy'),
    ];
    for (const call of calls) {
      await expect(call).rejects.toMatchObject({ name: 'ValidationError', issues: [{ path: 'codec' }] });
    }
    await registry.close();
    expect((await client.kv.range('nothing')).revision).toBe(revision);
  });

  it('leaves out what the codec cannot read, and nothing else', async () => {
    const codec: ServiceCodec = {
      name: 'own',
      keyPrefix: '/own',
      isInstance: ({ instanceId }) => !instanceId.startsWith('.'),
      decode(value) {
        if (value === 'bad') throw new Error('bad');
        return value === 'other' ? undefined : { address: value };
      },
    };
    const registry = createRegistry(client, { codec });
    const values = { a: 'a:1', b: 'bad', c: 'other', d: 'd', e: 'e:99999', '.f': 'f:1', g: 'g:1' };
    for (const [id, value] of Object.entries(values)) await client.kv.put(`/own/s/${id}`, value);
    expect(await everyWay(registry, 's')).toMatchObject([{ id: 'a' }, { id: 'g' }]);
  });

  it.each<[unknown, string]>([
    ['go-zero', 'codec'],
    [{ name: 'x', keyPrefix: '/x' }, 'codec.decode'],
  ])('is refused with %o', (codec, path) => {
    const create: unknown = createRegistry;
    expect(() => typeof create === 'function' && create(client, { codec })).toThrow(
      expect.objectContaining({ issues: [expect.objectContaining({ path })] }),
    );
  });

  it('may have a prefix of its own, an empty one only if that is the codec’s', () => {
    createRegistry(client, { codec: goZeroCodec(), keyPrefix: 'shop' });
    createRegistry(client, { codec: goKratosCodec(), keyPrefix: '/team/microservices/' });
    expect(() => createRegistry(client, { codec: goKratosCodec(), keyPrefix: '' })).toThrow(ValidationError);
    expect(() => createRegistry(client, { codec: goZeroCodec(), keyPrefix: '/' })).toThrow(ValidationError);
  });
});
