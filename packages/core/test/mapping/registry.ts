import { describe, expect, it } from 'vitest';
import type { HealthStatus } from '../../src/index.js';
import type { Stage } from './stage.js';

export function registryOfA(stage: Stage): void {
  describe('Register, Deregister, Discover, Watch', () => {
    it('Register, Discover: ServiceInfo', async () => {
      const name = stage.unique();
      const metadata = { owner: 'payments' };
      await stage.coordinator.registry.register({ name, id: 'one', address: '10.0.0.1:8080', metadata });
      const [found] = await stage.other.registry.discover(name);
      expect(found).toMatchObject({
        name,
        id: 'one',
        address: '10.0.0.1',
        port: 8080,
        metadata,
        health: 'healthy',
      });
      expect(found?.registerTime).toBeInstanceOf(Date);
      expect(found?.lastHeartbeat).toBeInstanceOf(Date);
    });

    it('Deregister', async () => {
      const name = stage.unique();
      await stage.coordinator.registry.register({ name, id: 'one', address: '10.0.0.1:8080' });
      await stage.coordinator.registry.deregister(name, 'one');
      expect(await stage.other.registry.discover(name, { consistency: 'linearizable' })).toEqual([]);
    });

    it('Watch: the whole list at each change', async () => {
      const name = stage.unique();
      await using lists = stage.other.registry.watchInstances(name);
      await stage.coordinator.registry.register({ name, id: 'one', address: '10.0.0.1:8080' });
      for await (const list of lists) if (list.length === 1) break;
      await stage.coordinator.registry.deregister(name, 'one');
    });
  });
}

export function health(stage: Stage): void {
  describe('UpdateHealth, HealthStatus (4 states)', () => {
    const states: readonly HealthStatus[] = ['unknown', 'unhealthy', 'maintenance', 'healthy'];
    const goNames = ['HealthUnknown', 'HealthUnhealthy', 'HealthMaintenance', 'HealthHealthy'];

    it.each(states.map((status, index) => [goNames[index], status] as const))('%s', async (_name, status) => {
      const name = stage.unique();
      await stage.coordinator.registry.register({ name, id: 'one', address: '10.0.0.1:8080' });
      await stage.coordinator.registry.updateHealth(name, 'one', status);
      const all = await stage.other.registry.discover(name, { health: 'any', consistency: 'linearizable' });
      expect(all.map((each) => each.health)).toEqual([status]);
      const usual = await stage.other.registry.discover(name, { consistency: 'linearizable' });
      expect(usual).toHaveLength(status === 'healthy' ? 1 : 0);
    });
  });
}

export function registryOfB(stage: Stage): void {
  describe('Register(ttl), Unregister(id), Discover, Watch(PUT, DELETE)', () => {
    it('Register(ttl)', async () => {
      const name = stage.unique();
      const service = { name, id: 'one', address: '127.0.0.1', port: 8080, metadata: { version: '1.0.0' } };
      await stage.coordinator.registry.register(service, { ttlMs: 30_000 });
      const kv = await stage.other.client.kv.get(`/services/${name}/one`);
      const ID = String(kv?.leaseId);
      const { TTL } = await stage.other.client.etcd3.leaseClient.leaseTimeToLive({ ID });
      expect(Number(TTL)).toBeGreaterThan(15);
      expect(Number(TTL)).toBeLessThanOrEqual(30);
    });

    it('Unregister(id)', async () => {
      const name = stage.unique();
      await stage.coordinator.registry.register({ name, id: name, address: '10.0.0.1:8080' });
      await stage.coordinator.registry.unregister(name);
      expect(await stage.other.client.kv.get(`/services/${name}/${name}`)).toBeUndefined();
    });

    it('Discover', async () => {
      const name = stage.unique();
      await stage.coordinator.registry.register({ name, id: 'one', address: '10.0.0.1:8080' });
      const found = await stage.other.registry.discover(name);
      expect(found.map(({ address, port }) => `${address}:${port}`)).toEqual(['10.0.0.1:8080']);
    });

    it('Watch(PUT, DELETE)', async () => {
      const name = stage.unique();
      await using watch = stage.other.registry.watch(name);
      await stage.coordinator.registry.register({ name, id: 'one', address: '10.0.0.1:8080' });
      expect((await watch.next()).value).toMatchObject({ type: 'put', service: { id: 'one' } });
      await stage.coordinator.registry.deregister(name, 'one');
      expect((await watch.next()).value).toMatchObject({ type: 'delete', service: { id: 'one' } });
    });
  });
}
