import { type CoordClient, connect, ValidationError } from '@coord/client';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRegistry, type DiscoverOptions, type ServiceRegistry, subsetOf } from '../src/index.js';

let etcd: EtcdServer;
let client: CoordClient;
let registry: ServiceRegistry;

beforeAll(async () => {
  etcd = await startEtcd();
  client = await connect(etcd.connectOptions);
  registry = createRegistry(client);
  const instances = [
    { id: 'a', zone: 'eu', version: '1.0', tags: ['canary', 'gpu'], metadata: { team: 'x', tier: '1' } },
    { id: 'b', zone: 'eu', version: '1.1', tags: ['canary'], metadata: { team: 'x' } },
    { id: 'c', zone: 'us', version: '1.1', metadata: { team: 'y' } },
    { id: 'd', zone: 'us', version: '1.1', tags: ['gpu'], health: 'maintenance' as const },
    { id: 'e' },
  ];
  await Promise.all(
    instances.map((instance) => registry.register({ name: 'user', address: '10.0.0.1:80', ...instance })),
  );
});

afterAll(async () => {
  await client?.close();
  await etcd?.stop();
});

const ids = (services: readonly { id: string }[]) => services.map(({ id }) => id).sort();

describe('a selection', () => {
  it.each<[DiscoverOptions, string[]]>([
    [{}, ['a', 'b', 'c', 'e']],
    [{ health: 'maintenance' }, ['d']],
    [{ health: 'unknown' }, []],
    [{ zone: 'eu' }, ['a', 'b']],
    [{ zone: 'us', health: 'any' }, ['c', 'd']],
    [{ version: '1.1' }, ['b', 'c']],
    [{ tags: ['canary'] }, ['a', 'b']],
    [{ tags: ['canary', 'gpu'] }, ['a']],
    [{ tags: [] }, ['a', 'b', 'c', 'e']],
    [{ metadata: { team: 'x' } }, ['a', 'b']],
    [{ metadata: { team: 'x', tier: '1' } }, ['a']],
    [{ metadata: { toString: '' } }, []],
    [{ zone: 'eu', version: '1.1', tags: ['canary'], metadata: { team: 'x' } }, ['b']],
    [{ zone: 'eu', filter: ({ id }) => id !== 'a' }, ['b']],
    [{ zone: 'moon' }, []],
  ])('%o gives %j, cached, linearizable and as a list', async (selection, expected) => {
    expect(ids(await registry.discover('user', selection))).toEqual(expected);
    expect(ids(await registry.discover('user', { ...selection, consistency: 'linearizable' }))).toEqual(
      expected,
    );
    await using watch = registry.watchInstances('user', selection);
    expect(ids((await watch.next()).value ?? [])).toEqual(expected);
  });

  it('takes a part of those that fit, the same one every time', async () => {
    const subset = { size: 2, seed: 'pod-1' };
    const fitting = await registry.discover('user', { health: 'any' });
    const expected = ids(subsetOf(fitting, subset));
    expect(expected).toHaveLength(2);
    for (const consistency of ['cached', 'linearizable'] as const) {
      expect(ids(await registry.discover('user', { health: 'any', subset, consistency }))).toEqual(expected);
    }
    expect(ids(await registry.discover('user', { zone: 'eu', subset }))).toEqual(['a', 'b']);
  });

  it('is what it was when it was given', async () => {
    const selection = { tags: ['canary'] };
    await using watch = registry.watchInstances('user', selection);
    expect(ids((await watch.next()).value ?? [])).toEqual(['a', 'b']);
    selection.tags.push('gpu');
    const tags = ['canary'];
    await using registration = await registry.register({ name: 'user', id: 'f', address: 'a:1', tags });
    expect(ids((await watch.next()).value ?? [])).toEqual(['a', 'b', 'f']);
    await registration.deregister();
    expect(ids((await watch.next()).value ?? [])).toEqual(['a', 'b']);
  });

  const call = (invoke: unknown, ...args: unknown[]): unknown =>
    typeof invoke === 'function' ? Reflect.apply(invoke, registry, args) : undefined;
  const issuesOf = (error: unknown) =>
    error instanceof ValidationError ? error.issues.map(({ path }) => path) : error;

  it.each<[unknown, string[]]>([
    [null, ['options']],
    ['eu', ['options']],
    [{ health: 'well' }, ['health']],
    [{ zones: ['eu'], tag: 'canary' }, ['zones', 'tag']],
    [{ zone: '' }, ['zone']],
    [{ zone: 7, version: null }, ['zone', 'version']],
    [{ tags: 'canary' }, ['tags']],
    [{ tags: ['a', '', 7, undefined] }, ['tags[1]', 'tags[2]', 'tags[3]']],
    [{ metadata: ['a'] }, ['metadata']],
    [{ metadata: { a: 1, b: 'x', c: null } }, ['metadata.a', 'metadata.c']],
    [{ filter: 'zone == eu' }, ['filter']],
    [{ subset: 20 }, ['subset']],
    [{ subset: { size: 0, seed: '' } }, ['subset.size', 'subset.seed']],
  ])('%o is refused', async (selection, paths) => {
    const rejected = await Promise.resolve(call(registry.discover, 'user', selection)).catch(issuesOf);
    expect(rejected).toEqual(expect.arrayContaining(paths));
    expect(() => call(registry.watchInstances, 'user', selection)).toThrow(
      expect.objectContaining({ issues: paths.map((path) => expect.objectContaining({ path })) }),
    );
  });
});

it('a selection that cannot be read is refused', async () => {
  const unreadable = {
    get zone(): string {
      throw new Error('no');
    },
  };
  await expect(registry.discover('user', unreadable)).rejects.toThrow(ValidationError);
  expect(() => registry.watchInstances('user', unreadable)).toThrow(ValidationError);
});

describe('status', () => {
  it('is unknown until somebody has asked for the service, then live and of a revision', async () => {
    const own = createRegistry(client);
    await registry.register({ name: 'stated', id: 'a', address: 'a:1' });
    await registry.register({ name: 'stated', id: 'b', address: 'b:1', health: 'unhealthy' });
    expect(own.status('stated')).toBeUndefined();
    await own.discover('stated');
    expect(own.status('stated')).toMatchObject({
      source: 'live',
      ageMs: 0,
      instances: 2,
      healthy: 1,
      held: 0,
    });
    const { revision } = await client.kv.put('/services/stated/c', JSON.stringify({ Addr: 'c:1' }));
    await own.discover('stated'); // shows this client's own writes
    expect(own.status('stated')).toMatchObject({ revision, instances: 3, healthy: 2 });
    expect(JSON.parse(JSON.stringify(own.status('stated')))).toMatchObject({ revision: String(revision) });
    await own.close();
    expect(() => own.status('stated')).toThrow('closed');
  });

  it('tells of instances that are held', async () => {
    await using own = createRegistry(client, { emptyHoldMs: 60_000 });
    await client.kv.put('/services/held/a', JSON.stringify({ Addr: 'a:1' }));
    expect(await own.discover('held')).toHaveLength(1);
    await client.kv.delete('/services/held/a');
    expect(await own.discover('held')).toHaveLength(1);
    expect(own.status('held')).toMatchObject({ source: 'live', instances: 1, healthy: 1, held: 1 });
  });

  it('refuses what is no name', () => {
    for (const name of ['', 'a/b', '..', '\ud800']) {
      expect(() => registry.status(name)).toThrow(ValidationError);
    }
  });
});

describe('services with similar names', () => {
  it('do not see each other’s instances, whatever the call', async () => {
    const names = ['twin', 'twin-admin', 'twin.', 'twins', 'Twin'];
    for (const name of names) await registry.register({ name, id: name, address: 'a:1' });
    await client.kv.put('/services/twin', JSON.stringify({ Addr: 'a:1' }));
    for (const name of names) {
      expect(ids(await registry.discover(name))).toEqual([name]);
      expect(ids(await registry.discover(name, { consistency: 'linearizable' }))).toEqual([name]);
      await using watch = registry.watch(name);
      expect((await watch.next()).value).toMatchObject({ type: 'put', service: { id: name } });
    }
    const listed = await registry.listServices();
    expect(listed.filter((name) => /^twin/i.test(name))).toEqual([...names].sort());
    await registry.deregister('twin', 'twin');
    await eventually(async () => expect(await registry.discover('twin')).toEqual([]));
    expect(await registry.discover('twins')).toHaveLength(1);
  });
});
