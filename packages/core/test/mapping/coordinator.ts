import { describe, expect, it } from 'vitest';
import { ClosedError, createCoordinator, defaultConfig } from '../../src/index.js';
import type { Stage } from './stage.js';

export function coordinatorOfA(stage: Stage): void {
  describe('Coordinator.ServiceRegistry / Lock / ConfigCenter', () => {
    it('ServiceRegistry', async () => {
      expect(await stage.coordinator.registry.discover(stage.unique())).toEqual([]);
    });

    it('Lock', async () => {
      expect(await stage.coordinator.lock.withLock(stage.unique(), (lock) => lock.isHeld())).toBe(true);
    });

    it('ConfigCenter', async () => {
      expect((await stage.coordinator.config.set(stage.unique(), 1)).version).toBe(1);
    });
  });
}

export function coordinatorOfB(stage: Stage): void {
  describe('coord.New, WithLogger, DefaultConfig', () => {
    it('coord.New', async () => {
      await using provider = await createCoordinator(stage.etcd.connectOptions);
      expect((await provider.ping()).version).toBe(stage.etcd.version);
    });

    it('coord.WithLogger', async () => {
      const lines: unknown[] = [];
      const log = (...args: unknown[]) => void lines.push(args[0]);
      const logger = { error: log, warn: log, info: log, debug: log };
      const config = { ...stage.etcd.connectOptions, logLevel: 'debug' } as const;
      await using provider = await createCoordinator(config, { logger });
      await provider.lock.withLock(stage.unique(), () => undefined);
      expect(lines).toContain('coord: lock acquire');
    });

    it('coord.DefaultConfig', async () => {
      expect(defaultConfig().endpoints).toEqual(['127.0.0.1:2379']); // B's localhost
      await using provider = await createCoordinator(defaultConfig(stage.etcd.connectOptions));
      expect((await provider.ping()).version).toBe(stage.etcd.version);
    });
  });

  describe('Provider.Lock / Registry / Config / Close', () => {
    it('Lock', async () => {
      await using lock = await stage.coordinator.lock.acquire(stage.unique());
      expect(await lock.isHeld()).toBe(true);
    });

    it('Registry', async () => {
      expect(await stage.coordinator.registry.listServices()).toBeInstanceOf(Array);
    });

    it('Config', async () => {
      expect((await stage.coordinator.config.list('nothing-here/')).keys).toEqual([]);
    });

    it('Close', async () => {
      const provider = await createCoordinator(stage.etcd.connectOptions);
      await provider.close();
      await expect(provider.config.get('x')).rejects.toBeInstanceOf(ClosedError);
    });
  });
}
