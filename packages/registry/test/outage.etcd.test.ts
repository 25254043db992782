import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type CoordClient, CoordError, connect } from '@coord/client';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRegistry, type ServiceRegistry } from '../src/index.js';

const TTL_MS = 2_000;
let etcd: EtcdServer;
let client: CoordClient;
let other: CoordClient;
let registry: ServiceRegistry;

beforeEach(async () => {
  etcd = await startEtcd();
  client = await connect({ ...etcd.connectOptions, requestTimeoutMs: 1_000 });
  other = await connect({ ...etcd.connectOptions, requestTimeoutMs: 1_000 });
  registry = createRegistry(client, { ttlMs: TTL_MS });
});

afterEach(async () => {
  await Promise.all([client.close({ timeoutMs: 1_000 }), other.close({ timeoutMs: 1_000 })]);
  await etcd.stop();
});

const instance = { name: 'user', id: 'a', address: '10.0.0.1', port: 8080 };
const key = '/services/user/a';

/** Waits until the lease has certainly run out by our clock. */
async function outlastTtl(isOver: () => boolean): Promise<void> {
  await eventually(() => expect(isOver()).toBe(true), { timeoutMs: 20_000 });
}

describe('an etcd that is away for longer than the TTL', () => {
  it('gets the instance back by itself, and never empties a list meanwhile', async () => {
    const registration = await registry.register(instance);
    const observer = createRegistry(other);
    expect(await observer.discover('user')).toHaveLength(1);
    expect(await registry.discover('user')).toHaveLength(1);
    const sizes = new Set<number>();
    // Every list that anybody could have been given.
    const lists = [registry, observer].map((each) => each.watchInstances('user'));
    const observations = lists.map(async (list) => {
      for await (const instances of list) sizes.add(instances.length);
    });
    await etcd.kill();
    await outlastTtl(() => registration.state === 'recovering');
    await expect(registry.discover('user', { consistency: 'linearizable' })).rejects.toSatisfy(CoordError.is);
    for (const each of [registry, observer]) expect(await each.discover('user')).toHaveLength(1);
    await etcd.restart();
    await eventually(() => expect(registration.state).toBe('registered'), { timeoutMs: 20_000 });
    await eventually(async () =>
      expect(await other.kv.get(key)).toMatchObject({ leaseId: expect.any(BigInt) }),
    );
    for (const each of [registry, observer]) expect(await each.discover('user')).toHaveLength(1);
    await Promise.all(lists.map((list) => list.close()));
    await Promise.all(observations);
    expect([...sizes]).toEqual([1]);
    await registration.deregister();
    expect(await other.kv.get(key)).toBeUndefined();
  });

  it('does not bring back what was deregistered meanwhile', async () => {
    const registration = await registry.register(instance);
    const sibling = await registry.register({ ...instance, id: 'sibling' });
    const types: string[] = [];
    const watch = other.watch(key);
    await watch.ready;
    const watching = (async () => {
      for await (const { events } of watch) types.push(...events.map(({ type }) => type));
    })();
    await etcd.kill();
    await outlastTtl(() => registration.state === 'recovering');
    await expect(registration.deregister({ timeoutMs: 300 })).rejects.toMatchObject({ outcome: 'unknown' });
    expect(registration.state).toBe('leaving');
    await etcd.restart();
    await registration.deregister({ timeoutMs: 20_000 });
    expect(registration.state).toBe('deregistered');
    // One that lost its lease with it has come back, and comes back again: it would have had its turn by now.
    for (let turn = 0; turn < 2; turn++) {
      await eventually(() => expect(sibling.state).toBe('registered'), { timeoutMs: 20_000 });
      const { leaseId } = (await other.kv.get('/services/user/sibling')) ?? {};
      const recovering = new Promise<void>((resolve) => {
        sibling.subscribe((state) => state === 'recovering' && resolve());
      });
      await other.etcd3.leaseClient.leaseRevoke({ ID: String(leaseId) });
      await recovering;
    }
    await eventually(() => expect(sibling.state).toBe('registered'), { timeoutMs: 20_000 });
    expect(await other.kv.get(key)).toBeUndefined();
    await watch.close();
    await watching;
    expect(types.slice(types.indexOf('delete') + 1)).toEqual([]);
  });

  it('does not bring back what an operator deregistered while its owner could not see it', async () => {
    const registration = await registry.register(instance);
    await createRegistry(other).deregister('user', 'a');
    await etcd.kill();
    await etcd.restart();
    await eventually(() => expect(registration.state).toBe('deregistered'), { timeoutMs: 20_000 });
    expect(await other.kv.get(key)).toBeUndefined();
  });

  it('does not keep a process alive that has closed everything', async () => {
    const script = fileURLToPath(new URL('leaving-process.ts', import.meta.url));
    const child = fork(script, [etcd.endpoint], {
      execArgv: ['--conditions=@coord/source', '--import', 'tsx'],
    });
    try {
      expect(await once(child, 'message')).toMatchObject([{ registered: 20 }, undefined]);
      await etcd.kill();
      child.send('leave');
      const [{ waitsFor }] = await once(child, 'message');
      expect(waitsFor).not.toContain('Timeout');
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('fails a first registration in time, and leaves nothing behind', async () => {
    await etcd.kill();
    await expect(registry.register(instance, { timeoutMs: 500 })).rejects.toSatisfy(CoordError.is);
    await etcd.restart();
    await eventually(async () => expect(await other.kv.get(key)).toBeUndefined(), { timeoutMs: 10_000 });
    const registration = await registry.register(instance, { timeoutMs: 10_000 });
    expect(registration.state).toBe('registered');
  });

  it('writes a health that was set meanwhile as soon as it can', async () => {
    const registration = await registry.register(instance);
    await etcd.kill();
    await outlastTtl(() => registration.state === 'recovering');
    const updated = registration.updateHealth('maintenance', { timeoutMs: 30_000 });
    await etcd.restart();
    await updated;
    expect(Reflect.get(Object((await other.kv.get(key))?.json()), 'health')).toBe('maintenance');
  });

  it('loses to a successor that took over meanwhile', async () => {
    const registration = await registry.register(instance);
    await etcd.pause();
    await outlastTtl(() => registration.state === 'recovering');
    await etcd.resume();
    const successor = await createRegistry(other).register(
      { ...instance, port: 9090 },
      { timeoutMs: 10_000 },
    );
    await eventually(() => expect(registration.state).toBe('superseded'), { timeoutMs: 20_000 });
    expect(successor.state).toBe('registered');
    expect(Reflect.get(Object((await other.kv.get(key))?.json()), 'port')).toBe(9090);
  });
});
