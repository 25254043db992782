import { describe, expect, it } from 'vitest';
import {
  type ConfigWatch,
  createConfigManager,
  NotFoundError,
  VersionConflictError,
} from '../../src/index.js';
import type { Stage } from './stage.js';

/** The next changes. */
async function take<T>(watch: ConfigWatch<T>, count: number) {
  const changes = [];
  for await (const change of watch) {
    changes.push(change);
    if (changes.length === count) break;
  }
  return changes;
}

export function configOfA(stage: Stage): void {
  describe('Config Get / Set(version) / Delete(version)', () => {
    it('Get: ConfigValue', async () => {
      const key = stage.unique();
      await stage.coordinator.config.set(key, 'text', { metadata: { team: 'a' } });
      const value = await stage.other.config.get(key);
      expect(value).toMatchObject({ key, value: 'text', version: 1, metadata: { team: 'a' } });
      expect(value.createTime).toBeInstanceOf(Date);
      expect(value.updateTime).toBeInstanceOf(Date);
    });

    it('Set(version)', async () => {
      const key = stage.unique();
      await stage.coordinator.config.set(key, 1, { version: 0 });
      expect((await stage.coordinator.config.set(key, 2, { version: 1 })).version).toBe(2);
      await expect(stage.other.config.set(key, 3, { version: 1 })).rejects.toBeInstanceOf(
        VersionConflictError,
      );
    });

    it('Delete(version)', async () => {
      const key = stage.unique();
      await stage.coordinator.config.set(key, 1);
      await expect(stage.other.config.delete(key, { version: 5 })).rejects.toBeInstanceOf(
        VersionConflictError,
      );
      expect(await stage.other.config.delete(key, { version: 1 })).toBe(true);
      await expect(stage.coordinator.config.get(key)).rejects.toBeInstanceOf(NotFoundError);
    });
  });

  describe('GetVersion, GetHistory, Watch, WatchPrefix', () => {
    it('GetVersion', async () => {
      const key = stage.unique();
      expect(await stage.coordinator.config.getVersion(key)).toBe(0);
      await stage.coordinator.config.set(key, 1);
      expect(await stage.other.config.getVersion(key)).toBe(1);
    });

    it('GetHistory(limit)', async () => {
      const key = stage.unique();
      for (const value of ['a', 'b', 'c']) await stage.coordinator.config.set(key, value);
      const history = await stage.other.config.getHistory(key, { limit: 2 });
      expect(history.map(({ version, value }) => [version, value])).toEqual([
        [3, 'c'],
        [2, 'b'],
      ]);
    });

    it('Watch: ConfigChangeCreate, Update, Delete', async () => {
      const key = stage.unique();
      await using watch = stage.other.config.watch(key);
      await watch.ready;
      await stage.coordinator.config.set(key, 1);
      await stage.coordinator.config.set(key, 2);
      await stage.coordinator.config.delete(key);
      const changes = await take(watch, 3);
      expect(changes).toMatchObject([
        { type: 'create', key, value: 1 },
        { type: 'update', key, value: 2, previous: { value: 1 } },
        { type: 'delete', key, previous: { value: 2 } },
      ]);
      expect(changes.every(({ timestamp }) => timestamp instanceof Date)).toBe(true);
    });

    it('WatchPrefix', async () => {
      const prefix = stage.unique();
      await using watch = stage.other.config.watchPrefix(`${prefix}/`);
      await watch.ready;
      await stage.coordinator.config.set(`${prefix}/a`, 1);
      await stage.coordinator.config.set(`${prefix}/b`, 2);
      expect((await take(watch, 2)).map(({ key }) => key)).toEqual([`${prefix}/a`, `${prefix}/b`]);
    });
  });
}

export function configOfB(stage: Stage): void {
  describe('Config Get, Set, Delete, Watch, WatchPrefix, List', () => {
    it('Get, Set', async () => {
      const key = `${stage.unique()}/config`;
      await stage.coordinator.config.set(key, { port: 8080, debug: true });
      expect(await stage.other.config.getValue(key)).toEqual({ port: 8080, debug: true });
    });

    it('Delete', async () => {
      const key = stage.unique();
      await stage.coordinator.config.set(key, 1);
      await stage.coordinator.config.delete(key);
      expect(await stage.other.config.getValue(key, 'gone')).toBe('gone');
    });

    it('Watch', async () => {
      const key = stage.unique();
      await using watch = stage.other.config.watch<{ port: number }>(key);
      await watch.ready;
      await stage.coordinator.config.set(key, { port: 1 });
      const [change] = await take(watch, 1);
      expect([change?.key, change?.value?.port]).toEqual([key, 1]);
    });

    it('WatchPrefix', async () => {
      const prefix = stage.unique();
      await using watch = stage.other.config.watchPrefix(prefix, { initial: true });
      await stage.coordinator.config.set(`${prefix}/a`, 1);
      expect(await take(watch, 1)).toMatchObject([{ key: `${prefix}/a`, value: 1 }]);
    });

    it('List', async () => {
      const prefix = stage.unique();
      for (const name of ['a', 'b']) await stage.coordinator.config.set(`${prefix}/${name}`, name);
      expect((await stage.other.config.list(`${prefix}/`)).keys).toEqual([`${prefix}/a`, `${prefix}/b`]);
    });
  });

  describe('GetWithVersion, CompareAndSet', () => {
    it('GetWithVersion, CompareAndSet', async () => {
      const key = stage.unique();
      await stage.coordinator.config.set(key, { port: 8080 });
      const { value, version } = await stage.other.config.get<{ port: number }>(key);
      const next = await stage.other.config.compareAndSet(key, { port: value.port + 1 }, version);
      expect(next.version).toBe(version + 1);
      await expect(stage.coordinator.config.compareAndSet(key, { port: 1 }, version)).rejects.toMatchObject({
        name: 'VersionConflictError',
        expected: version,
        actual: version + 1,
      });
    });
  });

  describe('Watcher Chan, Close', () => {
    it('Chan, Close', async () => {
      const key = stage.unique();
      const watch = stage.other.config.watch(key, { initial: true });
      const changes = watch[Symbol.asyncIterator]();
      expect((await changes.next()).value).toMatchObject({ type: 'delete', key });
      await watch.close();
      expect((await changes.next()).done).toBe(true);
    });
  });

  managersOfB(stage);
}

function managersOfB(stage: Stage): void {
  const defaults = { port: 80 };
  const place = () => ({
    config: stage.other.config,
    env: 'dev',
    service: stage.unique(),
    component: 'http',
  });

  describe('config.NewManager, WithValidator, WithUpdater', () => {
    it('config.NewManager', async () => {
      const where = place();
      await stage.coordinator.config.set(`dev/${where.service}/http`, { port: 81 });
      await using manager = createConfigManager({ ...where, defaults });
      await manager.start();
      expect(manager.current).toEqual({ port: 81 });
    });

    it('config.WithValidator', async () => {
      const where = place();
      await stage.coordinator.config.set(`dev/${where.service}/http`, { port: -1 });
      const validate = ({ port }: { port: number }) => (port > 0 ? undefined : 'port must be positive');
      await using manager = createConfigManager({ ...where, defaults, validate });
      await manager.start();
      expect(manager.current).toEqual(defaults);
      expect(manager.status.rejected?.issues).toMatchObject([{ message: 'port must be positive' }]);
    });

    it('config.WithUpdater', async () => {
      const where = place();
      const seen: unknown[] = [];
      const onUpdate = (next: object, previous: object) => void seen.push([next, previous]);
      await using manager = createConfigManager({ ...where, defaults, onUpdate });
      await manager.start();
      const { version } = await stage.coordinator.config.set(`dev/${where.service}/http`, { port: 82 });
      await manager.waitFor(version);
      expect(seen.at(-1)).toEqual([{ port: 82 }, { port: 80 }]);
    });
  });

  describe('Start, Stop, GetCurrentConfig', () => {
    it('Start, Stop, GetCurrentConfig', async () => {
      const where = place();
      const manager = createConfigManager({ ...where, defaults });
      expect(manager.getCurrentConfig()).toEqual(defaults);
      await manager.start();
      expect(manager.status.state).toBe('ready');
      const { version } = await stage.coordinator.config.set(`dev/${where.service}/http`, { port: 83 });
      await manager.waitFor(version);
      await manager.stop();
      expect(manager.status.state).toBe('stopped');
      expect(manager.getCurrentConfig()).toEqual({ port: 83 });
    });
  });
}
