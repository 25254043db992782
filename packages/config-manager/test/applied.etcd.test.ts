import { getEventListeners } from 'node:events';
import { internalsOf } from '@coord/client/internal';
import { describe, expect, it } from 'vitest';
import { appliedConfig, type ConfigManagerOptions } from '../src/index.js';
import { collect, eventually, type Place, useEtcd } from './setup.js';

const t = useEtcd();
const DEFAULTS = { port: 1 };
const LATER = { timeoutMs: 20_000 };

function instance(
  { key: _, ...place }: Place,
  name: string,
  options: Partial<Omit<ConfigManagerOptions<typeof DEFAULTS>, keyof Place>> = {},
) {
  return t.manager({ ...place, defaults: DEFAULTS, instance: name, announce: true, ...options });
}

/** Who says what, by name. */
async function states(key: string): Promise<Record<string, [string, number]>> {
  const { instances } = await appliedConfig(t.config, key);
  return Object.fromEntries(instances.map(({ instance: name, state, version }) => [name, [state, version]]));
}

describe('applied by N of M', () => {
  it('counts who uses what etcd has now, and names who refuses it', async () => {
    const place = t.place();
    await t.config.set(place.key, { port: 2 });
    const picky = (next: typeof DEFAULTS) =>
      next.port > 2 ? [{ path: 'port', message: 'above 2' }] : undefined;
    const managers = [
      instance(place, 'a'),
      instance(place, 'b'),
      instance(place, 'picky', { validate: picky }),
      instance(place, 'silent', { announce: false }),
    ];
    await Promise.all(managers.map((manager) => manager.start()));
    await eventually(async () =>
      expect(await appliedConfig(t.config, place.key)).toMatchObject({ version: 1, applied: 3, total: 3 }),
    );
    const { revision } = await t.config.set(place.key, { port: 3 });
    await eventually(async () =>
      expect(await states(place.key)).toEqual({
        a: ['applied', 2],
        b: ['applied', 2],
        picky: ['rejected', 1],
      }),
    );
    const all = await appliedConfig(t.config, place.key);
    expect(all).toMatchObject({ key: place.key, version: 2, revision, applied: 2, total: 3 });
    expect(all.instances[2]?.rejected).toEqual({ phase: 'validate', version: 2, revision, paths: ['port'] });
    expect(all.instances[0]).toMatchObject({ source: 'remote', revision, rejected: undefined });

    await t.config.delete(place.key);
    await eventually(async () =>
      expect(await appliedConfig(t.config, place.key)).toMatchObject({
        version: 0,
        revision: 0n,
        applied: 3,
      }),
    );
    // An outside write has no version of its own; the revision tells.
    await t.client.kv.put(`/config/${place.key}`, '{"port":2}');
    await eventually(async () => expect((await appliedConfig(t.config, place.key)).applied).toBe(3));
  });

  it('forgets an instance that stops, and knows it again when it starts', async () => {
    const place = t.place();
    await t.config.set(place.key, { port: 2 });
    const [a, b] = [instance(place, 'a'), instance(place, 'b')];
    await Promise.all([a.start(), b.start()]);
    await eventually(async () => expect(Object.keys(await states(place.key))).toEqual(['a', 'b']));
    await a.stop();
    expect(Object.keys(await states(place.key))).toEqual(['b']);
    await a.start();
    await eventually(async () => expect(await states(place.key)).toMatchObject({ a: ['applied', 1] }));
    // Stopped with a write perhaps under way: nothing is left, though the lease goes on for the other.
    for (let port = 3; port <= 12; port++) {
      await t.config.set(place.key, { port });
      await a.stop();
      expect(Object.keys(await states(place.key))).toEqual(['b']);
      await a.start();
    }
  });

  it('says so again after its lease was lost, and after an outage', async () => {
    const place = t.place();
    await t.config.set(place.key, { port: 2 });
    const { proxy, config, disconnect } = await t.behindProxy();
    const manager = instance(place, 'a', { config });
    await manager.start();
    const ackKey = `/coord/config/ack/${place.key}/@/a`;
    const leaseOf = async () => (await t.client.kv.get(ackKey))?.leaseId;
    await eventually(async () => expect(await leaseOf()).toBeGreaterThan(0n));
    const lease = await leaseOf();
    await t.etcd.etcdctl(['lease', 'revoke', (lease ?? 0n).toString(16)]);
    await eventually(async () => {
      const now = await leaseOf();
      expect(now).toBeDefined();
      expect(now).not.toBe(lease);
    }, LATER);
    await disconnect();
    await eventually(() => manager.status.stale, LATER);
    await t.config.set(place.key, { port: 3 });
    expect(await states(place.key)).toEqual({ a: ['behind', 1] });
    await proxy.accept();
    await eventually(async () => expect(await states(place.key)).toEqual({ a: ['applied', 2] }), LATER);
  });

  it('never holds up a manager that cannot write, and is no place for values', async () => {
    const place = t.place();
    // A record that is none, by somebody else.
    await t.client.kv.put(`/coord/config/ack/${place.key}/@/other`, 'nonsense');
    await t.config.set(place.key, { port: 2 });
    const { config, disconnect } = await t.behindProxy();
    const manager = instance(place, 'a', {
      config,
      validate: ({ port }) => {
        if (port === 4711) throw new Error(`refused ${port}`);
      },
    });
    await manager.start();
    await t.config.set(place.key, { port: 4711 });
    await eventually(async () => expect(await states(place.key)).toEqual({ a: ['rejected', 1] }));
    const record = await t.client.kv.get(`/coord/config/ack/${place.key}/@/a`);
    expect(record?.text()).not.toContain('4711');
    const { done } = collect(manager.events());
    await disconnect();
    await manager.stop();
    await done;
    expect(manager.status.state).toBe('stopped');
  });

  it('needs a name, and a key', async () => {
    const { key: _, ...place } = t.place();
    expect(() => t.manager({ ...place, defaults: DEFAULTS, announce: true })).toThrow(/instance/);
    expect(() => t.manager({ ...place, defaults: DEFAULTS, announce: 1 as never })).toThrow(/announce/);
    await expect(appliedConfig(t.config, 'a//b')).rejects.toMatchObject({ name: 'ValidationError' });
    await expect(appliedConfig({} as never, 'a')).rejects.toThrow(/config/);
    expect(await appliedConfig(t.config, 'no/such/key')).toMatchObject({ version: 0, applied: 0, total: 0 });
  });
});

it('a manager that has stopped leaves nothing at the session that others go on to use', async () => {
  const { session, release } = await internalsOf(t.client).borrowSession('config', 15_000);
  const listeners = () => getEventListeners(session.signal, 'abort').length;
  const before = listeners();
  const place = t.place();
  const manager = instance(place, 'a');
  await manager.start();
  await eventually(async () => expect(await states(place.key)).toHaveProperty('a'));
  expect(listeners()).toBeGreaterThan(before);
  await manager.stop();
  expect(listeners()).toBe(before);
  release();
});
