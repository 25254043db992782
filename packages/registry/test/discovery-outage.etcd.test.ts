import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { type CoordClient, CoordError, connect, createClient } from '@coord/client';
import { type EtcdServer, eventually, startEtcd, startProxy, type Proxy as TcpProxy } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  createRegistry,
  type ServiceInfo,
  type ServiceRegistry,
  type ServiceRegistryConfig,
} from '../src/index.js';

let etcd: EtcdServer;
/** Reaches etcd at all times. */
let client: CoordClient;
let proxy: TcpProxy;
let folder: string;
let names = 0;
let warnings: string[];
const closing: CoordClient[] = [];

beforeAll(async () => {
  etcd = await startEtcd();
  client = await connect(etcd.connectOptions);
});
beforeEach(async () => {
  proxy = await startProxy({ target: etcd.endpoint });
  folder = await mkdtemp(join(tmpdir(), 'coord-registry-'));
  warnings = [];
});
afterEach(async () => {
  for (const each of closing.splice(0)) await each.close({ timeoutMs: 500 });
  await proxy.close();
  await rm(folder, { recursive: true });
});
afterAll(async () => {
  await client?.close();
  await etcd?.stop();
});

/** A registry whose etcd can be taken away, as a process of its own would have it. */
function behind(config?: ServiceRegistryConfig): ServiceRegistry {
  const ignored = () => undefined;
  const warn = (...args: unknown[]) => warnings.push(inspect(args));
  const logger = { error: ignored, warn, info: ignored, debug: ignored };
  const own = createClient({ endpoints: [proxy.endpoint], requestTimeoutMs: 15_000, logger });
  closing.push(own);
  return createRegistry(own, config);
}

async function cutOff(): Promise<void> {
  await proxy.refuse();
  proxy.cut();
}

const unique = () => `away-${++names}`;
const ids = (services: readonly ServiceInfo[]) => services.map(({ id }) => id);
const put = (name: string, id: string, fields: object = {}) =>
  client.kv.put(`/services/${name}/${id}`, JSON.stringify({ Addr: `${id}:1`, ...fields }));
const remove = (name: string, id: string) => client.kv.delete(`/services/${name}/${id}`);

describe('while etcd is away', () => {
  it('the list stays, says how old it is, and catches up', async () => {
    const name = unique();
    await put(name, 'a');
    const registry = behind();
    await using list = registry.watchInstances(name);
    expect(ids((await list.next()).value ?? [])).toEqual(['a']);
    const before = registry.status(name);
    expect(before).toMatchObject({ source: 'live', ageMs: 0 });
    await cutOff();
    await eventually(() => expect(registry.status(name)).toMatchObject({ source: 'stale' }));
    const { revision } = await put(name, 'b');
    await remove(name, 'a');
    let age = 0;
    await eventually(() => {
      age = Math.max(age, registry.status(name)?.ageMs ?? 0);
      expect(age).toBeGreaterThan(200);
    });
    expect(ids(await registry.discover(name))).toEqual(['a']);
    expect(registry.status(name)).toMatchObject({
      source: 'stale',
      revision: before?.revision,
      instances: 1,
    });
    await expect(registry.discover(name, { consistency: 'linearizable', timeoutMs: 200 })).rejects.toSatisfy(
      CoordError.is,
    );
    await proxy.accept();
    await eventually(() => expect(registry.status(name)).toMatchObject({ source: 'live', ageMs: 0 }), {
      timeoutMs: 20_000,
    });
    await eventually(async () => expect(ids(await registry.discover(name))).toEqual(['b']));
    expect(registry.status(name)?.revision).toBeGreaterThan(revision);
  });

  it('a first discover fails in time, and works as soon as etcd is there', async () => {
    const name = unique();
    await put(name, 'a');
    await cutOff();
    const registry = behind();
    await expect(registry.discover(name, { timeoutMs: 300 })).rejects.toSatisfy(CoordError.is);
    expect(registry.status(name)).toBeUndefined();
    const waiting = registry.discover(name, { timeoutMs: 30_000 });
    const watching = registry.watch(name).next();
    await proxy.accept();
    expect(ids(await waiting)).toEqual(['a']);
    expect((await watching).value).toMatchObject({ type: 'put', service: { id: 'a' } });
  });
});

describe('a registry with a folder for snapshots', () => {
  /** What an earlier process leaves behind. */
  async function written(name: string): Promise<void> {
    const earlier = behind({ snapshotDirectory: folder });
    expect(await earlier.discover(name)).not.toEqual([]);
    await earlier.close();
  }

  it('starts without etcd from the last known list, says so, and is replaced by etcd', async () => {
    const name = unique();
    for (const id of ['a', 'b', 'gone']) await put(name, id);
    await written(name);
    await cutOff();
    await remove(name, 'gone');
    await put(name, 'c');
    const registry = behind({ snapshotDirectory: folder });
    await using list = registry.watchInstances(name);
    expect(ids(await registry.discover(name))).toEqual(['a', 'b', 'gone']);
    expect(registry.status(name)).toMatchObject({ source: 'disk', instances: 3 });
    expect(registry.status(name)?.ageMs).toBeGreaterThan(0);
    expect(ids((await list.next()).value ?? [])).toEqual(['a', 'b', 'gone']);
    await expect(registry.discover(name, { consistency: 'linearizable', timeoutMs: 200 })).rejects.toSatisfy(
      CoordError.is,
    );
    await using watch = registry.watch(name);
    const events: string[] = [];
    const note = async () => {
      const { value } = await watch.next();
      events.push(`${value?.type} ${value?.service.id}`);
    };
    for (let i = 0; i < 3; i++) await note();
    await proxy.accept();
    expect(ids((await list.next()).value ?? []).sort()).toEqual(['a', 'b', 'c']);
    for (let i = 0; i < 2; i++) await note();
    expect(events.slice(0, 3)).toEqual(['put a', 'put b', 'put gone']);
    expect(events.slice(3).sort()).toEqual(['delete gone', 'put c']);
    expect(registry.status(name)).toMatchObject({ source: 'live' });
  });

  it('holds the last ones of the copy for a while when etcd has none left', async () => {
    const name = unique();
    await put(name, 'a');
    await written(name);
    await cutOff();
    await remove(name, 'a');
    const registry = behind({ snapshotDirectory: folder, emptyHoldMs: 60_000 });
    expect(ids(await registry.discover(name))).toEqual(['a']);
    await proxy.accept();
    await eventually(() => expect(registry.status(name)).toMatchObject({ source: 'live' }), {
      timeoutMs: 20_000,
    });
    expect(ids(await registry.discover(name))).toEqual(['a']);
    expect(registry.status(name)).toMatchObject({ held: 1 });
  });

  it('does without a damaged copy, and mends it', async () => {
    const name = unique();
    await put(name, 'a');
    await written(name);
    const [file = ''] = await readdir(folder);
    const path = join(folder, file);
    const intact = await readFile(path);
    await writeFile(path, intact.subarray(0, intact.length - 3));
    await cutOff();
    const registry = behind({ snapshotDirectory: folder });
    const list = registry.watchInstances(name);
    await eventually(() =>
      expect(warnings.filter((warning) => warning.includes('snapshot file'))).toHaveLength(1),
    );
    expect(registry.status(name)).toBeUndefined();
    await proxy.accept();
    expect(ids((await list.next()).value ?? [])).toEqual(['a']);
    await registry.close();
    expect((await readFile(path)).length).toBeGreaterThan(intact.length - 3);
    await cutOff();
    expect(ids(await behind({ snapshotDirectory: folder }).discover(name))).toEqual(['a']);
  });

  it('keeps each service in a file of its own, whatever its name', async () => {
    const services = ['plain', 'Ünï cödé', 'a%2Fb', `long-${'x'.repeat(400)}`];
    await Promise.all(services.map((service) => put(service, 'a')));
    await Promise.all(services.map(written));
    const files = await readdir(folder);
    expect(new Set(files).size).toBe(services.length);
    await cutOff();
    const registry = behind({ snapshotDirectory: folder });
    const found = await Promise.all(services.map((service) => registry.discover(service)));
    expect(found).toMatchObject(services.map((name) => [{ name, id: 'a' }]));
    for (const service of services) expect(registry.status(service)).toMatchObject({ source: 'disk' });
  });

  it('works without the folder, too', async () => {
    const name = unique();
    await put(name, 'a');
    const registry = behind({ snapshotDirectory: join(folder, 'missing') });
    expect(ids(await registry.discover(name))).toEqual(['a']);
    await eventually(() => expect(warnings.join()).toContain('snapshot file'));
    await registry.close();
  });

  it.each(['', 7, 'a\0b'])('refuses %j for a folder', (snapshotDirectory) => {
    const create: unknown = createRegistry;
    expect(() => typeof create === 'function' && create(client, { snapshotDirectory })).toThrow(
      expect.objectContaining({ issues: [expect.objectContaining({ path: 'snapshotDirectory' })] }),
    );
  });
});
