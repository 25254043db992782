/** The roles and the table of keys that docs/operations names, on an etcd with users. */
import { type CoordClient, connect, createClient, PermissionError, TimeoutError } from '@coord/client';
import { createConfigCenter } from '@coord/config';
import {
  appliedConfig,
  createConfigManager,
  getCanary,
  overrideConfig,
  startCanary,
} from '@coord/config-manager';
import { getConnection, getServiceConfig, setServiceConfig } from '@coord/grpc-resolver';
import { createLocks } from '@coord/lock';
import { createRegistry } from '@coord/registry';
import { type EtcdServer, eventually, type Proxy as Line, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tableOf } from './document.js';
import { commands, grantsOf, roles } from './documented-roles.js';

const keyPatterns = tableOf('docs/operations/keys.md').map(([key = '', lease = '']) => ({
  key: key.replaceAll('`', ''),
  leased: !lease.startsWith('none'),
}));

const allows = (role: string, right: 'read' | 'write', key: string) =>
  grantsOf(role).some(
    (grant) => grant.rights.includes(right) && (grant.prefix ? key.startsWith(grant.key) : key === grant.key),
  );

/** Of each kind one that no test writes, and neighbours of what the roles allow. */
const strangers = [
  ...[
    '/',
    '/other',
    '/locks',
    '/locksmith/a',
    '/coord',
    '/coord/lock',
    '/coord/locks',
    '/services',
    '/servicesx/a',
  ],
  ...[
    '/services/user-servic',
    '/services/user-service2/a',
    '/services/other/a',
    '/config',
    '/configx/a',
    '/config/prod',
  ],
  ...[
    '/config/prod/orders2/http',
    '/config/prod/_sharedx/http',
    '/config/prod/other/http',
    '/config/dev/orders/http',
  ],
  ...['/coord/config/meta/prod/other/http', '/coord/config/gray/prod/orders/https', '/coord/configx/a'],
  ...['/coord/config/over/prod/orders/https/@/x', '/coord/config/ack/prod/orders/http2/@/x'],
  ...keyPatterns.map(({ key }) =>
    key.replaceAll(/<(?:service|name|key)>/g, 'prod').replaceAll(/<\w+>/g, 'x'),
  ),
];

/** Every key that was written, and whether it had a lease. */
const written = new Map<string, boolean>();
const name = (role: string) => `user-of-${role}`;
let etcd: EtcdServer;
let line: Line;
let root: CoordClient;

beforeAll(async () => {
  etcd = await startEtcd({ auth: true, args: ['--bcrypt-cost=4'] });
  line = await startProxy({ target: etcd.endpoint });
  for (const command of commands) await etcd.etcdctl(command);
  for (const role of roles) {
    await etcd.etcdctl(['user', 'add', `${name(role)}:secret`]);
    await etcd.etcdctl(['user', 'grant-role', name(role), role]);
  }
  root = await connect(etcd.connectOptions);
  const watch = root.watch({ prefix: '' });
  await watch.ready;
  void (async () => {
    for await (const { events } of watch) {
      for (const { type, key, kv } of events) if (type === 'put') written.set(key, kv.leaseId !== 0n);
    }
  })().catch(() => undefined); // it ends with the client
});

afterAll(async () => {
  await root?.close();
  await line?.close();
  await etcd?.stop();
});

/** A client with one role. Its line can be cut off. */
const as = (role: string) =>
  connect({ endpoints: [line.endpoint], username: name(role), password: 'secret' });

/** What each role is for, all of it. */
const uses: Record<string, (client: CoordClient) => Promise<void>> = {
  async 'coord-lock'(client) {
    const locks = createLocks(client);
    const held = await locks.acquire('a/b', { ttlMs: 5_000, purpose: 'test' });
    const waiting = locks.acquire('a/b');
    await using other = await as('coord-lock');
    const third = createLocks(other).acquire('a/b');
    await expect(locks.tryAcquire('a/b')).rejects.toMatchObject({ name: 'LockConflictError' });
    expect(await held.isHeld()).toBe(true);
    expect(await held.renew(8_000)).toBe(true);
    await held.release();
    await Promise.all([waiting, third].map(async (next) => (await next).release()));
    await (await locks.acquireAll(['c', 'd'])).release();
    await (await locks.acquireReentrant('e', { owner: 'o' })).release();
    await locks.withLock('f', () => undefined);
    const write = await locks.acquireWriteLock('g');
    await (await write.downgrade()).release();
    const read = await locks.acquireReadLock('g');
    await (await read.tryUpgrade()).release();
    const semaphore = locks.semaphore('h', { permits: 2 });
    const permit = await semaphore.acquire(2);
    await semaphore.setPermits(3);
    await (await semaphore.tryAcquire()).release();
    await permit.release();
    const taken = await locks.acquire('i');
    expect((await locks.inspect('i')).holder?.fencingToken).toBe(taken.fencingToken);
    expect((await locks.list()).map(({ name }) => name)).toContain('i');
    await locks.forceRelease('i', taken.fencingToken);
    await eventually(() => taken.signal.aborted);
    // An acquisition whose answer was lost, and which is repeated on another connection, leaves its mark.
    line.blackholeOpen('toClient');
    const repeated = await locks.acquire('j');
    line.heal();
    await repeated.release();
    await locks.close();
  },

  async 'coord-register-users'(client) {
    const registry = createRegistry(client, { enableHealthCheck: true });
    const service = { name: 'user-service', id: 'a', address: '10.0.0.1', port: 1 };
    const registration = await registry.register(service, { check: { run: async () => true } });
    await registration.updateHealth('maintenance');
    await registry.register({ ...service, id: 'c' });
    await registry.deregister('user-service', 'c');
    expect(await registry.discover('user-service', { health: 'any' })).toHaveLength(1);
    await registration.drain({ waitMs: 1 });
    await registry.register(service);
    // One whose answer is lost until it has been given up leaves its mark, too.
    line.blackhole('toClient');
    const lost = registry.register({ ...service, id: 'lost' }, { timeoutMs: 1_000 });
    await expect(lost).rejects.toBeInstanceOf(TimeoutError);
    line.heal();
    await eventually(() =>
      expect([...written.keys()].join('\n')).toMatch(/^\/coord\/registry\/withdrawn\//m),
    );
    await registry.close();
  },

  async 'coord-discover'(client) {
    await using owner = createRegistry(root);
    await owner.register({ name: 'user-service', id: 'b', address: '10.0.0.2', port: 2 });
    const registry = createRegistry(client);
    for (const consistency of ['cached', 'linearizable'] as const) {
      expect(await registry.discover('user-service', { consistency })).toHaveLength(1);
    }
    expect(await registry.listServices()).toEqual(['user-service']);
    await using watch = registry.watch('user-service');
    expect((await watch.next()).value).toMatchObject({ type: 'put', service: { id: 'b' } });
    await using lists = registry.watchInstances('user-service');
    expect((await lists.next()).value).toHaveLength(1);
    await registry.close();
  },

  async 'coord-call'(client) {
    await using owner = createRegistry(root);
    await owner.register({ name: 'user-service', id: 'b', address: '127.0.0.1', port: 2 });
    const stored = await setServiceConfig(owner, 'user-service', {
      methodConfig: [{ name: [{}], timeout: '1s' }],
    });
    const registry = createRegistry(client);
    expect(await getServiceConfig(registry, 'user-service')).toBeDefined();
    await using connection = await getConnection(registry, 'user-service');
    await expect(connection.waitForReady({ timeoutMs: 200 })).rejects.toThrow(); // nobody listens there
    await eventually(() => expect(connection.serviceConfig.storedRevision).toBe(stored.revision));
    await connection.close();
    await registry.close();
  },

  async 'coord-operate-services'(client) {
    await using owner = createRegistry(root);
    for (const id of ['x', 'y', 'z']) {
      await owner.register({ name: 'user-service', id, address: '10.0.0.3', port: 3 });
    }
    const registry = createRegistry(client);
    await registry.updateHealth('user-service', 'x', 'unhealthy');
    await registry.deregister('user-service', 'x');
    await registry.unregister('y');
    expect(await registry.discover('user-service', { consistency: 'linearizable' })).toMatchObject([
      { id: 'z' },
    ]);
    await setServiceConfig(registry, 'user-service', { methodConfig: [{ name: [{}], timeout: '2s' }] });
    await registry.register({ name: 'other', id: 'a', address: '10.0.0.4', port: 4 });
    await registry.close();
  },

  async 'coord-config-read'(client) {
    await using writer = createConfigCenter(root);
    await writer.set('prod/orders/read', { a: 1 });
    await writer.set('prod/orders/read', { a: 2 });
    const config = createConfigCenter(client);
    for (const consistency of ['cached', 'linearizable'] as const) {
      expect((await config.get('prod/orders/read', { consistency })).version).toBe(2);
    }
    expect(await config.getVersion('prod/orders/read')).toBe(2);
    expect(await config.getHistory('prod/orders/read')).toHaveLength(2);
    await config.diff('prod/orders/read', 1, 2);
    expect(await config.getSchema('prod/orders/read')).toBeUndefined();
    expect((await config.list('prod/orders')).keys).toContain('prod/orders/read');
    await using one = config.watch('prod/orders/read', { initial: true });
    await using all = config.watchPrefix('prod/orders', { initial: true });
    for (const watch of [one, all]) {
      for await (const change of watch) {
        expect(change.version).toBe(2);
        break;
      }
    }
    await expect(config.set('prod/orders/read', 3)).rejects.toBeInstanceOf(PermissionError);
    await config.close();
  },

  async 'coord-config-write'(client) {
    const config = createConfigCenter(client, { maxVersionHistory: 3 });
    const key = 'prod/orders/write';
    await config.setSchema(key, { type: 'object' });
    const { version } = await config.set(key, { a: 1 }, { author: 'ana' });
    await config.compareAndSet(key, { a: 2 }, version);
    await config.rollback(key, version);
    for (const a of [4, 5, 6]) await config.set(key, { a });
    const release = await config.publish([
      { key, value: { a: 7 } },
      { key: 'prod/orders/b', value: 1 },
    ]);
    if (release === undefined) throw new Error('nothing was released');
    await config.revert(release.id);
    expect(await config.listReleases()).toHaveLength(2);
    expect(await config.getRelease(release.id)).toBeDefined();
    await root.kv.put('/config/prod/orders/outside', '1');
    await config.adopt('prod/orders/outside');
    await config.deleteSchema(key);
    expect(await config.delete(key)).toBe(true);
    await config.close();
  },

  async 'coord-manage'(client) {
    await using writer = createConfigCenter(root);
    await writer.set('prod/_shared/http', { host: 'h' });
    await writer.set('prod/orders/http', { port: 1 });
    const config = createConfigCenter(client);
    const place = { env: 'prod', service: 'orders', component: 'http' };
    const manager = createConfigManager({
      ...{
        config,
        ...place,
        instance: 'orders-1',
        announce: true,
        defaults: { port: 0, host: '', level: '' },
      },
      layers: ['shared', 'canary', 'instance', 'override'],
    });
    await manager.start();
    expect(manager.current).toEqual({ port: 1, host: 'h', level: '' });
    await writer.set('prod/orders/http/_instances/orders-1', { level: 'own' });
    await eventually(() => expect(manager.current.level).toBe('own'));
    await eventually(async () =>
      expect(await appliedConfig(config, 'prod/orders/http')).toMatchObject({ applied: 1, total: 1 }),
    );
    expect(manager.status.lastError).toBeUndefined();
    await expect(overrideConfig(config, 'prod/orders/http', {}, { ttlMs: 9_000 })).rejects.toBeInstanceOf(
      PermissionError,
    );
    await manager.stop();
    await config.close();
  },

  async 'coord-operate-config'(client) {
    const config = createConfigCenter(client);
    const key = 'prod/orders/http';
    const override = await overrideConfig(config, key, { level: 'debug' }, { ttlMs: 60_000 });
    await override.end();
    await startCanary(config, key, { port: 3 }, { percent: 50 });
    const canary = await (await getCanary(config, key)).resize({ percent: 100 });
    await canary.promote();
    expect(await config.getValue(key)).toEqual({ port: 3 });
    await appliedConfig(config, key);
    await config.close();
  },
};

it('the page has a use for each of its roles', () => {
  expect(Object.keys(uses).sort()).toEqual([...roles].sort());
});

describe('the role suffices for its package', () => {
  it.each(Object.keys(uses))('%s', async (role) => {
    await using client = await as(role);
    await uses[role]?.(client);
  });
});

describe('the role holds its user in', () => {
  it.each(Object.keys(uses))('%s', async (role) => {
    await using client = await as(role);
    const outcome = (call: Promise<unknown>) =>
      call.then(
        () => 'done',
        (error: Error) => error.name,
      );
    const wanted = (allowed: boolean) => (allowed ? 'done' : 'PermissionError');
    const checks = strangers.flatMap((key) => [
      [`read ${key}`, wanted(allows(role, 'read', key)), outcome(client.kv.get(key))] as const,
      ...(allows(role, 'write', key)
        ? []
        : [
            [`write ${key}`, 'PermissionError', outcome(client.kv.put(key, ''))] as const,
            [`delete ${key}`, 'PermissionError', outcome(client.kv.delete(key))] as const,
          ]),
    ]);
    const answers = await Promise.all(checks.map(async ([what, , answer]) => `${what}: ${await answer}`));
    expect(answers).toEqual(checks.map(([what, expected]) => `${what}: ${expected}`));
    for (const range of ['/other', { prefix: '/' }] as const) {
      await using watch = client.watch(range);
      await expect(watch.ready).rejects.toBeInstanceOf(PermissionError);
    }
    expect((await root.kv.range({ prefix: '/other' })).count).toBe(0);
  });
});

it('what was written is what the table of keys says, and all of it', async () => {
  const patterns = keyPatterns.map(({ key, leased }) => {
    const text = key.replaceAll('.', '\\.').replaceAll('<key>', '.+').replaceAll(/<\w+>/g, '[^/]+');
    return { leased, regex: new RegExp(`^${text}$`) };
  });
  await root.kv.put('last', '');
  await eventually(() => written.has('last'));
  written.delete('last');
  const unexplained = [...written].filter(
    ([key, leased]) => !patterns.some((pattern) => pattern.regex.test(key) && pattern.leased === leased),
  );
  expect(unexplained).toEqual([]);
  const unseen = patterns.filter(({ regex }) => ![...written.keys()].some((key) => regex.test(key)));
  expect(unseen).toEqual([]);
});

/** Whether this etcd is older than the release of its line that mended something; a line that is not named never was. */
function isBefore(fixedIn: Readonly<Record<number, number>>): boolean {
  const [, minor = 0, patch = 0] = etcd.version.split('.').map(Number);
  return patch < (fixedIn[minor] ?? Number.POSITIVE_INFINITY);
}

/** Whether it is done; it may only be refused for want of a right or a login. */
const isDone = (call: Promise<unknown>) =>
  call.then(
    () => true,
    (error: Error) => {
      expect(['PermissionError', 'AuthError']).toContain(error.name);
      return false;
    },
  );

describe('what roles do not do, where the page says so', () => {
  it('a Txn within a Txn goes round them', async () => {
    await using client = await as('coord-discover');
    const success = [{ txn: { success: [{ put: { key: '/bypass', value: '' } }] } }];
    const through = await isDone(client.kv.txn({ success }, { coalesce: false }));
    expect(through).toBe(isBefore({ 4: 42, 5: 28, 6: 9 }));
    expect((await root.kv.get('/bypass')) !== undefined).toBe(through);
  });

  it('who may read one key can watch those after it', async () => {
    await using client = await as('coord-manage');
    await using watch = client.watch({ start: '/coord/config/gray/prod/orders/http', end: '\0' });
    const seen = (async () => {
      await watch.ready;
      await root.kv.put('/zsecret', 'not for this user');
      const { value } = await watch[Symbol.asyncIterator]().next();
      expect(value?.events[0]?.kv.text()).toBe('not for this user');
    })();
    expect(await isDone(seen)).toBe(isBefore({ 5: 33, 6: 14, 7: 1 }));
  });

  it('leases are granted without a login', async () => {
    await using nobody = createClient({ endpoints: [line.endpoint] });
    const granted = await isDone(nobody.session({ ttlMs: 5_000 }).then((session) => session.keepAlive()));
    if (['3.4.23', '3.5.16'].includes(etcd.version)) expect(granted).toBe(true);
    await expect(nobody.kv.get('/zsecret')).rejects.toThrow();
  });

  it('a right that is taken away does not end a watch', async () => {
    await etcd.etcdctl(['role', 'add', 'passing']);
    await etcd.etcdctl(['role', 'grant-permission', 'passing', 'read', '/passing']);
    await etcd.etcdctl(['user', 'add', `${name('passing')}:secret`]);
    await etcd.etcdctl(['user', 'grant-role', name('passing'), 'passing']);
    await using client = await as('passing');
    await using watch = client.watch('/passing');
    await watch.ready;
    await etcd.etcdctl(['role', 'revoke-permission', 'passing', '/passing']);
    await expect(client.kv.get('/passing')).rejects.toBeInstanceOf(PermissionError);
    await root.kv.put('/passing', 'after');
    const { value } = await watch[Symbol.asyncIterator]().next();
    expect(value?.events[0]?.kv.text()).toBe('after');
    await expect(client.watch('/passing').ready).rejects.toBeInstanceOf(PermissionError);
  });
});
