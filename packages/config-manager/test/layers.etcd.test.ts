import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type ConfigManagerOptions, listOverrides, overrideConfig } from '../src/index.js';
import { collect, eventually, type Place, useEtcd } from './setup.js';

const t = useEtcd();
const DEFAULTS = { port: 1, host: 'localhost', pool: { min: 1, max: 2 } };
const LATER = { timeoutMs: 20_000 };
const LAYERS = ['shared', 'service', 'instance'] as const;

/** Three layers of an environment that no other test uses. */
function layered() {
  const { service: env, ...rest } = t.place();
  const place: Place = { ...rest, env, service: 'orders', key: `${env}/orders/http` };
  return {
    place,
    shared: `${env}/_shared/http`,
    service: place.key,
    instance: `${place.key}/_instances/orders-1`,
  };
}

function manager(
  place: Place,
  options: Partial<Omit<ConfigManagerOptions<typeof DEFAULTS>, keyof Place>> = {},
) {
  return t.manager({ ...place, defaults: DEFAULTS, layers: LAYERS, instance: 'orders-1', ...options });
}

describe('layers', () => {
  it('are laid over the defaults: shared, service, instance', async () => {
    const { place, shared, service, instance } = layered();
    await t.config.set(shared, { host: 'shared', port: 2, pool: { max: 3 } });
    await t.config.set(service, { port: 3, pool: { min: 2 } });
    const m = manager(place);
    await m.start();
    expect(m.current).toEqual({ host: 'shared', port: 3, pool: { min: 2, max: 3 } });
    const { revision } = await t.config.set(instance, { pool: { max: 9 } });
    await eventually(() => expect(m.current.pool).toEqual({ min: 2, max: 9 }));
    expect(m.status).toMatchObject({ state: 'ready', source: 'remote', version: 1, revision });
    expect(m.status.layers.map(({ layer, key }) => [layer, key])).toEqual([
      ['shared', shared],
      ['service', service],
      ['instance', instance],
    ]);
    expect(JSON.parse(JSON.stringify(m.status)).layers[2].revision).toBe(String(revision));
    expect(m.explain('pool.max')).toMatchObject({
      value: 9,
      layer: 'instance',
      layers: [
        { layer: 'instance', key: instance, version: 1, revision },
        { layer: 'shared' },
        { layer: 'default' },
      ],
    });
    expect(m.explain('pool.min').layer).toBe('service');
    await eventually(() => !m.status.stale);
  });

  it('that go leave the rest as it is; a layer that nobody has written is none', async () => {
    const { place, shared, service } = layered();
    const m = manager(place);
    await m.start();
    expect(m.status).toMatchObject({ state: 'ready', source: 'default', absent: true, layers: [] });
    await t.config.set(shared, { port: 2 });
    await eventually(() => expect(m.current.port).toBe(2));
    expect(m.status).toMatchObject({ source: 'remote', version: 0, absent: true });
    await t.config.set(service, { port: 3 });
    await m.waitFor(1, LATER);
    await t.config.delete(shared);
    await eventually(() => expect(m.status.layers.map(({ layer }) => layer)).toEqual(['service']));
    expect(m.current.port).toBe(3);
  });

  it.each(['keep', 'default'] as const)(
    'with onDelete %s when the service’s own is deleted',
    async (onDelete) => {
      const { place, shared, service } = layered();
      await t.config.set(shared, { host: 'a' });
      await t.config.set(service, { port: 3 });
      const m = manager(place, { onDelete });
      await m.start();
      const { types } = collect(m.events());
      await t.config.delete(service);
      await m.waitFor(2, LATER);
      const port = onDelete === 'keep' ? 3 : DEFAULTS.port;
      expect(m.current).toEqual({ ...DEFAULTS, host: 'a', port });
      // What is shared goes on beneath it.
      await t.config.set(shared, { host: 'b' });
      await eventually(() => expect(m.current).toEqual({ ...DEFAULTS, host: 'b', port }));
      expect(m.status.absent).toBe(true);
      await eventually(() => expect(types().filter((type) => type === 'deleted')).toHaveLength(1));
    },
  );

  it('that one transaction changed are seen together, never half of it', async () => {
    const { place, shared, service } = layered();
    const write = (number: number) =>
      t.client.kv.txn({
        success: [
          { put: { key: `/config/${shared}`, value: JSON.stringify({ pool: { min: number } }) } },
          { put: { key: `/config/${service}`, value: JSON.stringify({ pool: { max: number } }) } },
        ],
      });
    await write(1);
    const seen: [number, number][] = [];
    const m = manager(place, {
      validate: ({ pool }) => {
        if (pool.min !== 1 || pool.max !== 2) seen.push([pool.min, pool.max]);
      },
    });
    await m.start();
    for (let number = 2; number <= 40; number++) await write(number);
    await eventually(() => expect(m.current.pool).toEqual({ min: 40, max: 40 }));
    expect(seen.length).toBeGreaterThan(2);
    expect(seen.filter(([min, max]) => min !== max)).toEqual([]);
  });

  it('one that cannot be used keeps all as it is, and says which', async () => {
    const { place, shared, service } = layered();
    await t.config.set(service, { port: 3 });
    const schema = z.object({
      port: z.number(),
      host: z.string(),
      pool: z.object({ min: z.number(), max: z.number() }),
    });
    const m = manager(place, { schema });
    await m.start();
    await t.config.set(shared, ['no object']);
    await eventually(() =>
      expect(m.status.rejected).toMatchObject({ phase: 'merge', issues: [{ path: 'shared' }], version: 1 }),
    );
    await t.client.kv.put(`/config/${shared}`, '{"__proto__":{}}');
    await eventually(() => expect(m.status.rejected?.phase).toBe('decode'));
    expect(m.current).toEqual({ ...DEFAULTS, port: 3 });
    await t.config.set(shared, { host: 5 });
    await eventually(() => expect(m.status.rejected?.phase).toBe('schema'));
    await t.config.set(shared, { host: 'good' });
    await eventually(() => expect(m.status).toMatchObject({ state: 'ready', rejected: undefined }));
    expect(m.current).toEqual({ ...DEFAULTS, port: 3, host: 'good' });
  });

  it('are taken over again after an outage, and are in the snapshot file', async () => {
    const { place, shared, service } = layered();
    const snapshotFile = await t.file();
    await t.config.set(shared, { host: 'a', pool: { min: 5 } });
    await t.config.set(service, { port: 2 });
    const { proxy, config, disconnect } = await t.behindProxy();
    const m = manager(place, { config, snapshotFile });
    await m.start();
    await disconnect();
    await eventually(() => m.status.stale, LATER);
    await t.config.set(shared, { host: 'b', pool: { min: 5 } });
    await t.client.kv.put('/elsewhere', 'x');
    await t.etcd.compact();
    await expect(m.reload()).rejects.toThrow();
    await proxy.accept();
    await eventually(() => expect(m.current.host).toBe('b'), LATER);
    await eventually(() => !m.status.stale, LATER);
    await m.stop();
    await disconnect();
    expect((await readFile(snapshotFile, 'utf8')).split('\n')[1]).toBe(
      '{"host":"b","pool":{"min":5},"port":2}',
    );
    const next = manager(place, { config, snapshotFile, startTimeoutMs: 200 });
    await next.start();
    expect(next.current).toEqual({ port: 2, host: 'b', pool: { min: 5, max: 2 } });
    expect(next.status).toMatchObject({ source: 'snapshot', layers: [{ layer: 'snapshot' }] });
    expect(next.explain('host').layer).toBe('snapshot');
  });

  it('etcd away from the start: the defaults, a stop in time, and all of it as soon as it is back', async () => {
    const { place, shared } = layered();
    const layers = [...LAYERS, 'override'] as const;
    const { proxy, config, disconnect } = await t.behindProxy();
    await disconnect();
    const m = manager(place, { config, layers, announce: true, startTimeoutMs: 50 });
    await m.start();
    expect(m.status).toMatchObject({ state: 'degraded', source: 'default', stale: true });
    await m.stop();
    await m.start();
    await t.config.set(shared, { port: 2 });
    await proxy.accept();
    await eventually(() => expect(m.current.port).toBe(2), LATER);
    await eventually(() => expect(m.status).toMatchObject({ state: 'ready', stale: false }), LATER);
  });

  it('reload reads all of them', async () => {
    const { place, shared, service } = layered();
    const m = manager(place);
    await m.start();
    for (let number = 1; number <= 5; number++) {
      await t.config.set(shared, { pool: { min: number } });
      await t.config.set(service, { pool: { max: number } });
      await m.reload();
      expect(m.current.pool).toEqual({ min: number, max: number });
    }
  });

  it('are refused when they are none', () => {
    const { place } = layered();
    const make = (options: object) => () => t.manager({ ...place, defaults: DEFAULTS, ...options });
    expect(make({ layers: 'shared' })).toThrow(/layers/);
    expect(make({ layers: ['shared', 'other'] })).toThrow(/layers\[1\]/);
    expect(make({ layers: ['instance'] })).toThrow(/instance/);
    expect(make({ layers: ['instance'], instance: 'a/b' })).toThrow(/instance/);
    const foreign = { watch: () => undefined };
    expect(make({ layers: ['shared'], config: foreign })).toThrow(/config/);
  });
});

describe('an override', () => {
  const OVERRIDABLE = { layers: ['service', 'override'] } as const;

  it('holds until it is ended, over every version of the key', async () => {
    const { key, ...place } = t.place();
    await t.config.set(key, { port: 2 });
    const m = t.manager({ ...place, defaults: DEFAULTS, ...OVERRIDABLE });
    await m.start();
    const override = await overrideConfig(
      t.config,
      key,
      { port: 99 },
      { ttlMs: 60_000, author: 'ada', comment: 'why' },
    );
    await eventually(() => expect(m.current.port).toBe(99));
    expect(m.explain('port')).toMatchObject({ layer: 'override', layers: [{ key: override.id }, {}, {}] });
    // A release does not take its place, and it does not take the place of the release.
    await t.config.set(key, { port: 3, host: 'new' });
    await m.waitFor(2, LATER);
    expect(m.current).toMatchObject({ port: 99, host: 'new' });
    expect((await t.config.get(key)).value).toEqual({ port: 3, host: 'new' });

    const second = await overrideConfig(t.config, key, { port: 100 }, { ttlMs: 60_000 });
    await eventually(() => expect(m.current.port).toBe(100));
    const listed = await listOverrides(t.config, key);
    expect(listed.map(({ id, value, author, comment }) => [id, value, author, comment])).toEqual([
      [override.id, { port: 99 }, 'ada', 'why'],
      [second.id, { port: 100 }, undefined, undefined],
    ]);
    expect(await listed[0]?.end()).toBe(true);
    expect(await override.end()).toBe(false);
    expect(await second.end()).toBe(true);
    await eventually(() => expect(m.current.port).toBe(3));
    expect(m.status).toMatchObject({ state: 'ready', version: 2 });
  });

  it('ends by itself: nobody keeps its lease alive, not even who made it', async () => {
    const { key, ...place } = t.place();
    const m = t.manager({ ...place, defaults: DEFAULTS, ...OVERRIDABLE });
    await m.start();
    const ports: number[] = [];
    m.subscribe(({ port }) => void ports.push(port));
    await overrideConfig(t.config, key, { port: 99 }, { ttlMs: 3_000 });
    await eventually(() => expect(ports).toEqual([99, DEFAULTS.port]), LATER);
    expect(await listOverrides(t.config, key)).toEqual([]);
  });

  it('may be for one instance, and never gets into a snapshot file', async () => {
    const { key, ...place } = t.place();
    const snapshotFile = await t.file();
    await t.config.set(key, { port: 2 });
    const [one, other] = ['one', 'other'].map((instance) =>
      t.manager({
        ...place,
        defaults: DEFAULTS,
        ...OVERRIDABLE,
        instance,
        snapshotFile: `${snapshotFile}-${instance}`,
      }),
    );
    await Promise.all([one?.start(), other?.start()]);
    await overrideConfig(t.config, key, { port: 99 }, { ttlMs: 60_000, instance: 'one' });
    const all = await overrideConfig(t.config, key, { host: 'all' }, { ttlMs: 60_000 });
    await eventually(() => expect([one?.current.port, one?.current.host]).toEqual([99, 'all']));
    await eventually(() => expect([other?.current.port, other?.current.host]).toEqual([2, 'all']));
    await Promise.all([one?.stop(), other?.stop()]);
    expect(await readFile(`${snapshotFile}-one`, 'utf8')).toMatch(/\n\{"port":2\}$/);
    await all.end();
  });

  it('that is no good is refused, and the key’s own goes on to be followed when it has gone', async () => {
    const { key, ...place } = t.place();
    await t.config.set(key, { port: 2 });
    const validate = ({ port }: typeof DEFAULTS) => (port < 0 ? 'negative' : undefined);
    const m = t.manager({ ...place, defaults: DEFAULTS, ...OVERRIDABLE, validate });
    await m.start();
    const bad = await overrideConfig(t.config, key, { port: -1 }, { ttlMs: 60_000 });
    await eventually(() => expect(m.status.rejected).toMatchObject({ phase: 'validate' }));
    expect(m.current.port).toBe(2);
    await bad.end();
    await eventually(() => expect(m.status).toMatchObject({ state: 'ready', rejected: undefined }));
    await t.client.kv.put(`/coord/config/over/${key}/@/damaged`, 'nonsense');
    await eventually(() =>
      expect(m.status.rejected).toMatchObject({ phase: 'decode', issues: [{ path: 'override' }] }),
    );
    await t.client.kv.delete(`/coord/config/over/${key}/@/damaged`);
    await eventually(() => expect(m.status).toMatchObject({ state: 'ready', rejected: undefined }));
  });

  it('is refused before anything is written when something about it is wrong', async () => {
    const refused = (key: string, value: unknown, options: unknown, path: string) =>
      expect(overrideConfig(t.config, key, value, options as never)).rejects.toMatchObject({
        name: 'ValidationError',
        issues: [{ path }],
      });
    await refused('a/../b', {}, { ttlMs: 1_000 }, 'key');
    await refused('a', {}, { ttlMs: 0 }, 'ttlMs');
    await refused('a', {}, undefined, 'ttlMs');
    await refused('a', { a: Number.NaN }, { ttlMs: 1_000 }, 'value.a');
    await refused('a', {}, { ttlMs: 1_000, instance: 'a/b' }, 'instance');
    await refused('a', {}, { ttlMs: 1_000, comment: 5 }, 'comment');
    await expect(overrideConfig({} as never, 'a', {}, { ttlMs: 1_000 })).rejects.toThrow(/config/);
    await expect(listOverrides(t.config, '')).rejects.toThrow(/key/);
    expect((await t.client.kv.range({ prefix: '/coord/config/over/a' })).count).toBe(0);
  });
});
