/** Everything that the roles of docs/operations/roles.md are for. */
import { type CoordClient, PermissionError, TimeoutError } from '@coord/client';
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
import { eventually, type Proxy as Line } from '@coord/testkit';
import { expect } from 'vitest';

export interface RoleStage {
  readonly root: CoordClient;
  /** Of the users; it can be cut off. */
  readonly line: Line;
  /** Every key that was written, and whether it had a lease. */
  readonly written: ReadonlyMap<string, boolean>;
  /** Another client with a role. */
  as(role: string): Promise<CoordClient>;
}

/** What each role is for, all of it. */
export const uses: Record<string, (client: CoordClient, stage: RoleStage) => Promise<void>> = {
  async 'coord-lock'(client, { as, line }) {
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

  async 'coord-register-users'(client, { line, written }) {
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

  async 'coord-discover'(client, { root }) {
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

  async 'coord-call'(client, { root }) {
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

  async 'coord-operate-services'(client, { root }) {
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

  async 'coord-config-read'(client, { root }) {
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

  async 'coord-config-write'(client, { root }) {
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

  async 'coord-manage'(client, { root }) {
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
