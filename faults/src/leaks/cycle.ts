import { setTimeout as sleep } from 'node:timers/promises';
import { type CoordConfigInput, type Coordinator, createConfigManager, createCoordinator } from '@coord/core';
import { eventually } from '@coord/testkit';

/** What a cycle is about: names that all cycles share, so that nothing but a leak grows. */
export interface Cycle {
  readonly config: CoordConfigInput;
  /** Given to every call that waits. It never fires, so that who listens to it for ever shows. */
  readonly signal: AbortSignal;
  /** Breaks all connections. */
  breakLines(): Promise<void>;
}

/** Connects, uses everything, has everything fail once, and closes. */
export async function freshCycle(cycle: Cycle): Promise<void> {
  const coordinator = await createCoordinator(cycle.config, { signal: cycle.signal });
  await using _ = coordinator;
  await useEverything(coordinator, cycle);
  await leaveEverythingOpen(coordinator, cycle);
}

/** Uses everything, closes each thing by itself. */
export async function useEverything(coordinator: Coordinator, cycle: Cycle): Promise<void> {
  await useLocks(coordinator, cycle);
  await useServices(coordinator, cycle);
  await useConfiguration(coordinator, cycle);
  await useKeys(coordinator, cycle);
}

async function useLocks({ lock }: Coordinator, { signal, breakLines }: Cycle): Promise<void> {
  const held = await lock.acquire('leaks', { signal, purpose: 'leaks' });
  held.signal; // made, and never listened to
  await refused(lock.tryAcquire('leaks'));
  await refused(lock.acquire('leaks', { timeoutMs: 20, signal }));
  const gaveUp = new AbortController();
  const waiting = refused(lock.acquire('leaks', { signal: AbortSignal.any([signal, gaveUp.signal]) }));
  gaveUp.abort();
  await waiting;
  const next = lock.acquire('leaks', { signal });
  await breakLines();
  await again(() => held.release());
  await (await next).release();
  await lock.withLock('leaks', { signal }, async (own) => {
    await own.txn({ success: [{ put: { key: '/leaks/guarded', value: 'x' } }] });
  });
  await (await lock.acquireAll(['leaks', 'leaks2'], { signal })).release();
  const outer = await lock.acquireReentrant('leaks', { owner: 'leaks' });
  const inner = await outer.reenter();
  await inner.release();
  await outer.release();
  await (await lock.acquireReadLock('leaks', { signal })).release();
  await (await lock.acquireWriteLock('leaks', { signal })).release();
  await (await lock.semaphore('leaks', { permits: 2 }).acquire(2, { signal })).release();
}

async function useServices(coordinator: Coordinator, { signal, breakLines }: Cycle): Promise<void> {
  const { registry } = coordinator;
  const service = { name: 'leaks', id: 'one', address: '127.0.0.1:1' };
  const registration = await registry.register(service, { signal });
  await using events = registry.watch('leaks');
  await events.next();
  await using lists = registry.watchInstances('leaks');
  await lists.next();
  const connection = await coordinator.getConnection('leaks', { retry: true });
  await refused(connection.waitForReady({ timeoutMs: 20 })); // nobody listens there
  await breakLines();
  await again(() => registration.updateHealth('unhealthy', { signal }));
  await again(() => registry.discover('leaks', { health: 'any', signal }));
  await refused(registry.register({ ...service, address: 'leaks:1' }, { signal: AbortSignal.abort() }));
  await registration.drain({ waitMs: 1 });
  await connection.close();
}

async function useConfiguration({ config }: Coordinator, { signal, breakLines }: Cycle): Promise<void> {
  const key = 'test/leaks/http';
  await config.set(key, { port: 1 }, { signal, force: true });
  await using watch = config.watch(key);
  await watch.ready;
  const manager = createConfigManager({
    ...{ config, env: 'test', service: 'leaks', component: 'http', instance: 'leaks-1', announce: true },
    defaults: { port: 0 },
    validate: ({ port }) => {
      if (port > 100) throw new Error('too high');
    },
  });
  await manager.start();
  const unsubscribe = manager.subscribe(() => undefined);
  await breakLines();
  const { version } = await again(() => config.set(key, { port: 2 }, { signal, force: true }));
  await manager.waitFor(version, { timeoutMs: 60_000 });
  await refused(config.set(key, { port: 3 }, { version: 999_999_999, signal }));
  const bad = await config.set(key, { port: 1_000 }, { signal });
  await refused(manager.waitFor(bad.version, { timeoutMs: 60_000 }));
  await config.getValue(key, undefined, { consistency: 'cached', signal });
  unsubscribe();
  await manager.stop();
}

async function useKeys({ client }: Coordinator, { signal, breakLines }: Cycle): Promise<void> {
  await using session = await client.session({ ttlMs: 10_000 });
  await using watch = client.watch({ prefix: '/leaks/' });
  await watch.ready;
  await using cache = client.cache({ prefix: '/leaks/' }, { decode: (kv) => kv.text() });
  await cache.ready;
  const next = watch[Symbol.asyncIterator]().next();
  await client.kv.put('/leaks/own', 'x', { session, signal });
  await next;
  await breakLines();
  await refused(client.kv.put('/leaks/own', 'x', { signal: AbortSignal.abort() }));
  await refused(client.kv.put('/leaks/own', 'x', { leaseId: 1n, signal }));
  await refused(client.kv.put('/leaks/own', 'x'.repeat(2_000_000), { signal }));
  await Promise.all(Array.from({ length: 50 }, () => client.kv.get('/leaks/own', { signal })));
}

/** For `close()` to end. */
async function leaveEverythingOpen(coordinator: Coordinator, { breakLines }: Cycle): Promise<void> {
  const { client, config, lock, registry } = coordinator;
  await lock.acquire('leaks');
  lock.acquire('leaks').catch(() => undefined);
  await registry.register({ name: 'leaks', id: 'two', address: '127.0.0.1:2' });
  await coordinator.getConnection('leaks');
  await client.session();
  const streams = [config.watch('leaks'), registry.watch('leaks'), client.watch('/leaks/own')];
  for (const stream of streams) void read(stream);
  client.kv.get('/leaks/own').catch(() => undefined);
  await breakLines();
  await sleep(1);
}

async function read(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

/** Amid broken lines, whose errors are no leaks. */
async function again<T>(call: () => Promise<T>): Promise<T> {
  return await eventually(call, { timeoutMs: 60_000 });
}

async function refused(call: Promise<unknown>): Promise<void> {
  await call.then(
    () => Promise.reject(new Error('it should have failed')),
    () => undefined,
  );
}
