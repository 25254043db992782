import { eventually, startProxy } from '@coord/testkit';
import { connectivityState } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { AbortedError, ClosedError, type Coordinator, LockConflictError } from '../src/index.js';
import { useCoordinators } from './coordinators.js';

/** Far more than a busy machine needs for what should be at once, far less than what would be waited for. */
const SOON_MS = 20_000;
const LATE_MS = 60_000;
const ENDLESS_MS = 3_600_000;
const coordinators = useCoordinators();
const unique = () => coordinators.unique();

async function leasesOf(coordinator: Coordinator): Promise<string[]> {
  return (await coordinator.client.etcd3.leaseClient.leaseLeases()).leases.map(({ ID }) => ID);
}

/** A coordinator that holds a lock and has an instance, on a line of its own. */
async function busyBehind(proxy: { readonly endpoint: string }, requestTimeoutMs = LATE_MS) {
  const name = unique();
  const coordinator = await coordinators.create({ endpoints: [proxy.endpoint], requestTimeoutMs });
  const lock = await coordinator.lock.acquire(name);
  await coordinator.registry.register({ name, id: 'one', address: '10.0.0.1:80' }, { timeoutMs: SOON_MS });
  return { coordinator, lock, name };
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await run();
  return performance.now() - startedAt;
}

describe('close', () => {
  it('deregisters, then releases, then revokes, then disconnects', async () => {
    await using proxy = await startProxy({ target: coordinators.etcd.target });
    const watching = await coordinators.create();
    const before = await leasesOf(watching);
    const { coordinator, lock, name } = await busyBehind(proxy);
    const session = await coordinator.client.session();
    await coordinator.client.kv.put(`/own/${name}`, 'goes with its lease', { session });
    expect(await leasesOf(watching)).toHaveLength(before.length + 3);
    await using watch = watching.client.watch({ prefix: '/' });
    await watch.ready;

    await coordinator.close();
    expect((await leasesOf(watching)).filter((id) => !before.includes(id))).toEqual([]);
    await eventually(() => proxy.connections === 0, { timeoutMs: SOON_MS });
    const deleted: string[] = [];
    for await (const { events } of watch) {
      for (const { type, key } of events) if (type === 'delete') deleted.push(key);
      if (deleted.includes(`/own/${name}`)) break;
    }
    const service = `/services/${name}/one`;
    expect(deleted.filter((key) => key.includes(name))).toEqual([service, lock.etcdKey, `/own/${name}`]);
  });

  it('gives place at once: nobody waits for a TTL', async () => {
    const name = unique();
    const [leaving, staying] = await Promise.all([coordinators.create(), coordinators.create()]);
    const lock = await leaving.lock.acquire(name);
    await leaving.registry.register({ name, address: '10.0.0.1:80' });
    await expect(staying.lock.tryAcquire(name)).rejects.toBeInstanceOf(LockConflictError);

    await leaving.close();
    const next = await staying.lock.tryAcquire(name);
    expect(next.fencingToken).toBeGreaterThan(lock.fencingToken);
    expect(lock.signal.aborted).toBe(true);
    expect(await staying.registry.discover(name, { consistency: 'linearizable' })).toEqual([]);
  });

  it('ends everything that goes on', async () => {
    const key = unique();
    const coordinator = await coordinators.create();
    const connection = await coordinator.getConnection(key);
    const streams = [
      coordinator.config.watch(key),
      coordinator.registry.watch(key),
      coordinator.registry.watchInstances(key),
      coordinator.client.watch({ prefix: key }),
    ];
    const consumed = streams.map(async (stream) => {
      for await (const _ of stream);
    });
    const waiting = coordinator.config.get(key, { consistency: 'cached' }).catch(() => 'absent');
    expect(await waiting).toBe('absent');
    await coordinator.close();
    await Promise.all(consumed);
    expect(connection.channel.getConnectivityState(false)).toBe(connectivityState.SHUTDOWN);
  });

  it('is idempotent, also at the same time, and as a disposal', async () => {
    const coordinator = await coordinators.create();
    await Promise.all([coordinator.close(), coordinator.close(), coordinator[Symbol.asyncDispose]()]);
    await coordinator.close();
    await expect(coordinator.ping()).rejects.toBeInstanceOf(ClosedError);
    await expect(coordinator.lock.acquire('x')).rejects.toBeInstanceOf(ClosedError);
    await expect(coordinator.registry.discover('x')).rejects.toBeInstanceOf(ClosedError);
    await expect(coordinator.config.get('x')).rejects.toBeInstanceOf(ClosedError);
    await expect(coordinator.getConnection('x')).rejects.toBeInstanceOf(ClosedError);
  });

  it('closes nothing for bad options or a signal that has fired', async () => {
    const coordinator = await coordinators.create();
    await expect(coordinator.close({ timeoutMs: -1 })).rejects.toThrow('timeoutMs');
    await expect(coordinator.close(JSON.parse('5'))).rejects.toThrow('options');
    await expect(coordinator.close({ signal: AbortSignal.abort() })).rejects.toBeInstanceOf(AbortedError);
    await expect(coordinator.ping()).resolves.toMatchObject({ version: coordinators.etcd.version });
  });
});

describe('close in the middle of something', () => {
  it('ends a wait for a lock, which leaves no key', async () => {
    const name = unique();
    const [holding, waiting] = await Promise.all([coordinators.create(), coordinators.create()]);
    await holding.lock.acquire(name);
    const second = expect(waiting.lock.acquire(name)).rejects.toBeInstanceOf(ClosedError);
    const keys = async () => (await holding.client.kv.range({ prefix: `/locks/${name}/` })).count;
    await eventually(async () => expect(await keys()).toBe(2), { timeoutMs: SOON_MS });
    await waiting.close();
    await second;
    expect(await keys()).toBe(1);
  });

  it('leaves nothing of a lock and an instance that were being made', async () => {
    const name = unique();
    const [leaving, staying] = await Promise.all([coordinators.create(), coordinators.create()]);
    const outcomes = Promise.allSettled([
      leaving.lock.acquire(name),
      leaving.registry.register({ name, id: 'one', address: '10.0.0.1:80' }),
    ]);
    await leaving.close();
    for (const outcome of await outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(ClosedError);
    }
    expect((await staying.client.kv.range({ prefix: `/locks/${name}/` })).count).toBe(0);
    expect((await staying.client.kv.range({ prefix: `/services/${name}/` })).count).toBe(0);
  });

  it('refuses a connection that was being made', async () => {
    const coordinator = await coordinators.create();
    const connection = coordinator.getConnection(unique());
    const refused = expect(connection).rejects.toBeInstanceOf(ClosedError);
    await coordinator.close();
    await refused;
  });
});

describe('close while etcd is away', () => {
  it('takes no longer than it was given, and no less when that may help', async () => {
    await using proxy = await startProxy({ target: coordinators.etcd.target });
    const { coordinator } = await busyBehind(proxy);
    proxy.blackhole();
    const took = await timed(() => coordinator.close({ timeoutMs: 600 }));
    expect(took).toBeGreaterThan(300);
    expect(took).toBeLessThan(SOON_MS);
    await expect(coordinator.ping()).rejects.toBeInstanceOf(ClosedError);
  });

  it('takes requestTimeoutMs at most when nothing else is said, also where connections are refused', async () => {
    await using proxy = await startProxy({ target: coordinators.etcd.target });
    const { coordinator } = await busyBehind(proxy, 1_000);
    await proxy.refuse();
    proxy.cut();
    expect(await timed(() => coordinator.close())).toBeLessThan(SOON_MS);
  });

  it('is cut short by its signal', async () => {
    await using proxy = await startProxy({ target: coordinators.etcd.target });
    const { coordinator } = await busyBehind(proxy);
    proxy.blackhole();
    const stop = new AbortController();
    const closing = timed(() => coordinator.close({ timeoutMs: LATE_MS, signal: stop.signal }));
    stop.abort();
    expect(await closing).toBeLessThan(SOON_MS);
  });

  it('is cut short by another close that has less time', async () => {
    await using proxy = await startProxy({ target: coordinators.etcd.target });
    const { coordinator } = await busyBehind(proxy);
    proxy.blackhole();
    const first = timed(() => coordinator.close({ timeoutMs: LATE_MS }));
    const second = timed(() => coordinator.close({ timeoutMs: 200 }));
    expect(await first).toBeLessThan(SOON_MS);
    expect(await second).toBeLessThan(SOON_MS);
  });

  it('is not cut short by another that names no time: what etcd can still do is waited for', async () => {
    await using proxy = await startProxy({ target: coordinators.etcd.target });
    const { coordinator, name } = await busyBehind(proxy, 300);
    const staying = await coordinators.create();
    const { coordinator: barrier } = await busyBehind(proxy);
    proxy.blackhole();
    const closing = [coordinator.close({ timeoutMs: LATE_MS }), coordinator.close()];
    await barrier.close({ timeoutMs: 900 }); // later than the other's usual 300 ms
    proxy.heal();
    await Promise.all(closing);
    expect((await staying.client.kv.range({ prefix: `/locks/${name}/` })).count).toBe(0);
    expect((await staying.client.kv.range({ prefix: `/services/${name}/` })).count).toBe(0);
  });

  it('leaves time for the locks, though the instances take all they can get', async () => {
    const name = unique();
    const [leaving, staying] = await Promise.all([coordinators.create(), coordinators.create()]);
    const lock = await leaving.lock.acquire(name);
    await leaving.registry.register({ name, id: 'one', address: '10.0.0.1:80' });
    const drained = leaving.registry.drain({ waitMs: ENDLESS_MS }); // `close` waits for it, while there is time
    await leaving.close({ timeoutMs: 5_000 });
    expect(await staying.client.kv.get(lock.etcdKey)).toBeUndefined();
    expect(await staying.client.kv.get(`/services/${name}/one`)).toBeUndefined();
    await drained; // which would keep the process alive
  });
});
