import { afterEach, describe, expect, it } from 'vitest';
import * as shared from '../../src/global.js';
import { ClosedError, createCoordinator, defaultConfig } from '../../src/index.js';
import type { Stage } from './stage.js';

export function newPingClose(stage: Stage): void {
  describe('New / Ping / Close', () => {
    it('New', async () => {
      const { endpoints } = stage.etcd;
      await using made = await createCoordinator({ ...defaultConfig(), endpoints });
      expect((await made.ping()).version).toBe(stage.etcd.version);
    });

    it('Ping', async () => {
      expect(await stage.coordinator.ping()).toMatchObject({ endpoint: stage.etcd.endpoint });
    });

    it('Close', async () => {
      const made = await createCoordinator(stage.etcd.connectOptions);
      await made.close();
      await expect(made.ping()).rejects.toBeInstanceOf(ClosedError);
    });
  });
}

export function globalMethods(stage: Stage): void {
  describe('RegisterService … WatchConfig (global)', () => {
    afterEach(() => shared.close());

    /** As the first line of a program would. */
    const ready = () => {
      shared.configure(stage.etcd.connectOptions);
      return stage.unique();
    };

    it('Ping', async () => {
      ready();
      expect((await shared.ping()).version).toBe(stage.etcd.version);
    });

    it('Close', async () => {
      const name = ready();
      await shared.acquireLock(name);
      await shared.close();
      await using free = await stage.coordinator.lock.tryAcquire(name);
      expect(await free.isHeld()).toBe(true);
    });

    it('RegisterService, DiscoverServices', async () => {
      const name = ready();
      await shared.registerService({ name, id: 'one', address: '10.0.0.1:8080' });
      expect(await shared.discoverServices(name)).toMatchObject([
        { id: 'one', address: '10.0.0.1', port: 8080 },
      ]);
    });

    it('DeregisterService', async () => {
      const name = ready();
      await shared.registerService({ name, id: 'one', address: '10.0.0.1:8080' });
      await shared.deregisterService(name, 'one');
      expect(await shared.discoverServices(name)).toEqual([]);
    });

    it('GetServiceConnection', async () => {
      const name = ready();
      const connection = await shared.getServiceConnection(name, { strategy: 'least_conn' });
      expect(connection.target).toContain(name);
    });

    it('AcquireLock', async () => {
      const lock = await shared.acquireLock(ready(), { ttlMs: 10_000 });
      expect(await lock.isHeld()).toBe(true);
    });

    it('AcquireReentrantLock', async () => {
      const lock = await shared.acquireReentrantLock(ready(), { ttlMs: 10_000 });
      expect((await lock.reenter()).acquireCount).toBe(2);
    });

    it('AcquireReadLock', async () => {
      const name = ready();
      const readers = [await shared.acquireReadLock(name), await shared.acquireReadLock(name)];
      expect(await Promise.all(readers.map((reader) => reader.isHeld()))).toEqual([true, true]);
    });

    it('AcquireWriteLock', async () => {
      const name = ready();
      await shared.acquireWriteLock(name);
      await expect(stage.other.lock.tryAcquireReadLock(name)).rejects.toThrow(name);
    });

    it('SetConfig, GetConfig', async () => {
      const key = ready();
      await shared.setConfig(key, { port: 80 }, { version: 0 });
      expect(await shared.getConfig(key)).toMatchObject({ value: { port: 80 }, version: 1 });
    });

    it('WatchConfig', async () => {
      const key = ready();
      await using watch = shared.watchConfig(key);
      await watch.ready;
      await shared.setConfig(key, 'new');
      for await (const change of watch) {
        expect(change).toMatchObject({ type: 'create', key, value: 'new' });
        break;
      }
    });
  });
}
