import { TimeoutError, ValidationError } from '@coord/client';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createConfigManager } from '../src/index.js';
import { collect, eventually, useEtcd } from './setup.js';

const t = useEtcd();
const DEFAULTS = { host: 'localhost', port: 8080, pool: { min: 1, max: 10 }, tags: ['a', 'b'] };
const schema = z.object({
  host: z.string(),
  port: z.number().int().positive(),
  pool: z.object({ min: z.number(), max: z.number() }),
  tags: z.array(z.string()),
});

describe('start', () => {
  it('is ready with the defaults where the centre has nothing', async () => {
    const manager = t.manager({ ...t.place(), defaults: DEFAULTS });
    expect(manager.status.state).toBe('idle');
    await manager.start();
    await manager.start();
    expect(manager.current).toEqual(DEFAULTS);
    expect(manager.getCurrentConfig()).toBe(manager.current);
    expect(manager.status).toMatchObject({
      state: 'ready',
      source: 'default',
      version: 0,
      absent: true,
    });
    await eventually(() => !manager.status.stale);
    expect(JSON.parse(JSON.stringify(manager.status))).toMatchObject({ revision: '0' });
  });

  it('lays a partial value over the defaults; arrays replace', async () => {
    const place = t.place();
    const { revision } = await t.config.set(place.key, { port: 1, pool: { max: 99 }, tags: ['c'] });
    const manager = t.manager({ ...place, defaults: DEFAULTS, schema });
    await manager.start();
    expect(manager.current).toEqual({ host: 'localhost', port: 1, pool: { min: 1, max: 99 }, tags: ['c'] });
    expect(manager.status).toMatchObject({
      state: 'ready',
      source: 'remote',
      version: 1,
      revision,
      absent: false,
    });
  });

  it('freezes the configuration all the way down, and leaves the caller’s defaults alone', async () => {
    const defaults = structuredClone(DEFAULTS);
    const place = t.place();
    const manager = t.manager({ ...place, defaults });
    await manager.start();
    expect(() => {
      (manager.current as typeof DEFAULTS).pool.max = 5;
    }).toThrow(TypeError);
    defaults.pool.max = 7;
    expect(manager.current.pool.max).toBe(10);
    const { version } = await t.config.set(place.key, { port: 1 });
    expect((await manager.waitFor(version)).pool.max).toBe(10);
  });

  it('with goManagerCompat follows the key that the Go original really reads', async () => {
    const { key, ...place } = t.place();
    await t.client.kv.put(`/config/config/${key}`, '{"port":1}');
    await t.client.kv.put(`/config/${key}`, '{"port":2}');
    const manager = t.manager({ ...place, defaults: DEFAULTS, goManagerCompat: true });
    await manager.start();
    expect(manager.current.port).toBe(1);
    await t.client.kv.put(`/config/config/${key}`, '{"port":3,"host":"go"}');
    await eventually(() => expect(manager.current).toEqual({ ...DEFAULTS, port: 3, host: 'go' }));
  });

  it('refuses bad options and invalid defaults', async () => {
    const bad = {
      config: {},
      env: 'a/b',
      service: '',
      component: '@',
      defaults: undefined,
      validate: [1],
      onUpdate: [1, {}, { commit: 1 }, { prepared: () => undefined }],
      onDelete: 'x',
      required: 1,
      goManagerCompat: 'yes',
      startTimeoutMs: 0,
      updateTimeoutMs: Number.NaN,
      retryDelaysMs: [1, -1],
      snapshotFile: 'a\0b',
    };
    expect(issuePaths(() => createConfigManager(bad as never))).toEqual([
      'config',
      'env',
      'service',
      'component',
      'defaults',
      'validate[0]',
      'onUpdate[0]',
      'onUpdate[1]',
      'onUpdate[2].commit',
      'onUpdate[3].prepared',
      'onUpdate[3]',
      'onDelete',
      'required',
      'goManagerCompat',
      'startTimeoutMs',
      'updateTimeoutMs',
      'retryDelaysMs[1]',
      'snapshotFile',
    ]);
    const { key: _, ...place } = t.place();
    const good = { config: t.config, ...place, defaults: DEFAULTS };
    expect(issuePaths(() => createConfigManager({ ...good, snapshot: 'a', default: 1 } as never))).toEqual([
      'snapshot',
      'default',
    ]);
    expect(issuePaths(() => createConfigManager({ ...good, retryDelaysMs: 5 as never }))).toEqual([
      'retryDelaysMs',
    ]);
    expect(() => t.manager({ ...t.place(), defaults: { ...DEFAULTS, port: -1 }, schema })).toThrow(
      /defaults\.port/,
    );
    const invalid = t.manager({ ...t.place(), defaults: DEFAULTS, validate: () => 'never' });
    await expect(invalid.start()).rejects.toMatchObject({ name: 'ValidationError' });
    expect(invalid.status.state).toBe('failed');
  });
});

describe('an update', () => {
  it('replaces the configuration as a whole and tells subscribers', async () => {
    const place = t.place();
    const manager = t.manager({ ...place, defaults: DEFAULTS, schema });
    await manager.start();
    const calls: [number, number, boolean][] = [];
    const end = manager.subscribe((next, previous) => {
      calls.push([next.port, previous.port, manager.current === next]);
    });
    const before = manager.current;
    await t.config.set(place.key, { port: 1 });
    await eventually(() => manager.current.port === 1);
    expect(before.port).toBe(8080);
    await eventually(() => expect(calls).toEqual([[1, 8080, true]]));
    end();
    await t.config.set(place.key, { port: 2 });
    await eventually(() => manager.current.port === 2);
    expect(calls).toHaveLength(1);
  });

  it('that is invalid is refused: the present one stays, and the reason is told', async () => {
    const place = t.place();
    await t.config.set(place.key, { port: 1 });
    const manager = t.manager({ ...place, defaults: DEFAULTS, schema });
    await manager.start();
    const { seen, types } = collect(manager.events());
    let calls = 0;
    manager.subscribe(() => void calls++);
    const held = manager.current;

    const { revision } = await t.config.set(place.key, { port: 'x', pool: { max: 'y' } });
    await eventually(() => manager.status.state === 'degraded');
    expect(manager.current).toBe(held);
    expect(manager.status).toMatchObject({ version: 1, rejected: { phase: 'schema', version: 2, revision } });
    expect(manager.status.rejected?.issues.map((issue) => issue.path)).toEqual([
      'value.port',
      'value.pool.max',
    ]);
    expect(JSON.parse(JSON.stringify(manager.status)).rejected.revision).toBe(String(revision));
    await expect(manager.reload()).rejects.toMatchObject({
      issues: [{ path: 'value.port' }, { path: 'value.pool.max' }],
    });

    await t.config.set(place.key, { port: 1 });
    await eventually(() => manager.status.state === 'ready');
    expect(manager.current).toBe(held);
    expect(manager.status).toMatchObject({ version: 3, rejected: undefined });
    await eventually(() => expect(types()).toEqual(['rejected', 'rejected', 'recovered']));
    expect(seen.filter(({ type }) => type === 'state')).toMatchObject([
      { state: 'degraded' },
      { state: 'ready' },
    ]);
    expect(calls).toBe(0);
  });

  it.each([
    ['an object is wanted', '[1]', 'merge'],
    ['it is no text', Uint8Array.of(0xff), 'merge'],
    ['it reaches for a prototype', '{"__proto__":{"port":1}}', 'decode'],
  ])('by others is refused when %s', async (_name, raw, phase) => {
    const place = t.place();
    const manager = t.manager({ ...place, defaults: DEFAULTS });
    await manager.start();
    await t.client.kv.put(`/config/${place.key}`, raw);
    await eventually(() => expect(manager.status.rejected?.phase).toBe(phase));
    expect(manager.current).toEqual(DEFAULTS);
    await expect(manager.reload()).rejects.toMatchObject({ name: 'ValidationError' });
  });

  it('passes every validator, or none of it is used', async () => {
    const place = t.place();
    const manager = t.manager({
      ...place,
      defaults: DEFAULTS,
      validate: [
        (next) => (next.pool.min > next.pool.max ? [{ path: 'pool.min', message: 'above max' }] : undefined),
        async (next) => {
          if (next.host === 'down') throw new Error('cannot resolve');
        },
      ],
    });
    await manager.start();
    await t.config.set(place.key, { pool: { min: 11 } });
    await eventually(() =>
      expect(manager.status.rejected).toMatchObject({ phase: 'validate', issues: [{ path: 'pool.min' }] }),
    );
    await t.config.set(place.key, { host: 'down' });
    await eventually(() =>
      expect(manager.status.rejected?.issues).toMatchObject([{ message: 'cannot resolve' }]),
    );
    await t.config.set(place.key, { host: 'up' });
    await eventually(() => manager.current.host === 'up');
  });

  it('whose check does not end in time is refused, and the check is told to stop', async () => {
    const place = t.place();
    let told: AbortSignal | undefined;
    const manager = t.manager({
      ...place,
      defaults: DEFAULTS,
      updateTimeoutMs: 30,
      validate: (next, { signal }) => {
        if (next.port !== 1) return undefined;
        told = signal;
        return new Promise(() => undefined);
      },
    });
    await manager.start();
    await t.config.set(place.key, { port: 1 });
    await eventually(() =>
      expect(manager.status.rejected).toMatchObject({ phase: 'validate', retrying: false }),
    );
    expect(manager.status.rejected?.error).toBeInstanceOf(TimeoutError);
    expect(told?.aborted).toBe(true);
    await t.config.set(place.key, { port: 2 });
    await eventually(() => manager.current.port === 2);
  });

  it('with the same content only counts up', async () => {
    const place = t.place();
    await t.config.set(place.key, { port: 1 });
    const manager = t.manager({ ...place, defaults: DEFAULTS, onUpdate: () => expect.unreachable() });
    await t.config.set(place.key, {});
    await manager.start();
    const held = manager.current;
    await t.config.set(place.key, { port: 8080 });
    await eventually(() => manager.status.version === 3);
    expect(manager.current).toBe(held);
  });

  it('of many in a row ends with the last, never going back', async () => {
    const place = t.place();
    const manager = t.manager({ ...place, defaults: DEFAULTS });
    await manager.start();
    const ports: number[] = [];
    manager.subscribe((next) => void ports.push(next.port));
    for (let port = 1; port <= 50; port++) await t.config.set(place.key, { port });
    await eventually(() => manager.current.port === 50);
    expect(ports).toEqual([...ports].sort((a, b) => a - b));
    expect(ports.at(-1)).toBe(50);
  });
});

describe('subscribers', () => {
  it('by selector hear only of their part', async () => {
    const place = t.place();
    const manager = t.manager({ ...place, defaults: DEFAULTS });
    await manager.start();
    const pools: unknown[] = [];
    manager.subscribe(
      (config) => config.pool,
      (pool, previous) => void pools.push([pool.max, previous.max]),
    );
    await t.config.set(place.key, { port: 1 });
    await eventually(() => manager.current.port === 1);
    await t.config.set(place.key, { port: 1, pool: { max: 20 } });
    await eventually(() => expect(pools).toEqual([[20, 10]]));
  });

  it('that fail harm nobody else', async () => {
    const place = t.place();
    const manager = t.manager({ ...place, defaults: DEFAULTS });
    await manager.start();
    const { seen } = collect(manager.events());
    const calls: string[] = [];
    manager.subscribe(() => {
      throw new Error('sync');
    });
    manager.subscribe(async () => {
      throw new Error('async');
    });
    manager.subscribe(() => void calls.push('heard'));
    await t.config.set(place.key, { port: 1 });
    await eventually(() => expect(calls).toEqual(['heard']));
    await eventually(() => expect(seen.filter(({ type }) => type === 'error')).toHaveLength(2));
    expect(manager.status.state).toBe('ready');
    expect(() => manager.subscribe('x' as never)).toThrow(/callback/);
  });
});

describe('updaters', () => {
  it('prepare before the swap and commit after it', async () => {
    const place = t.place();
    const log: string[] = [];
    const note = (what: string) => () => void log.push(`${what} at ${manager.current.port}`);
    const manager = t.manager({
      ...place,
      defaults: DEFAULTS,
      onUpdate: [
        note('function'),
        { prepare: note('prepare'), commit: note('commit'), rollback: note('rollback') },
      ],
    });
    await manager.start();
    manager.subscribe(note('subscriber'));
    await t.config.set(place.key, { port: 1 });
    await eventually(() =>
      expect(log).toEqual(['function at 8080', 'prepare at 8080', 'commit at 1', 'subscriber at 1']),
    );
  });

  it('that fail are undone, and tried again', async () => {
    const place = t.place();
    const log: string[] = [];
    let failures = 2;
    const manager = t.manager({
      ...place,
      defaults: DEFAULTS,
      retryDelaysMs: [20, 20, 20],
      onUpdate: [
        {
          prepare: () => void log.push('prepare'),
          rollback: () => void log.push('rollback'),
          commit: () => void log.push('commit'),
        },
        () => {
          if (failures-- > 0) throw new Error('port taken');
        },
      ],
    });
    await manager.start();
    const { types } = collect(manager.events());
    await t.config.set(place.key, { port: 1 });
    await eventually(() => manager.current.port === 1);
    expect(log).toEqual(['prepare', 'rollback', 'prepare', 'rollback', 'prepare', 'commit']);
    await eventually(() => expect(types()).toEqual(['rejected', 'rejected', 'applied', 'recovered']));
    expect(manager.status).toMatchObject({ state: 'ready', rejected: undefined });
  });

  it('that cannot succeed are not tried again, until a newer value or a reload', async () => {
    const place = t.place();
    let calls = 0;
    let broken = true;
    const manager = t.manager({
      ...place,
      defaults: DEFAULTS,
      retryDelaysMs: [1, 1, 1],
      onUpdate: () => {
        calls++;
        if (broken) throw Object.assign(new Error('no'), { retryable: false });
      },
    });
    await manager.start();
    await t.config.set(place.key, { port: 1 });
    await eventually(() => manager.status.rejected?.phase === 'update');
    await expect(manager.reload()).rejects.toThrow('no');
    expect(calls).toBe(2);
    broken = false;
    await manager.reload();
    expect([calls, manager.current.port]).toEqual([3, 1]);
  });

  it('may call the manager and the centre back', async () => {
    const place = t.place();
    const manager = t.manager({
      ...place,
      defaults: { port: 1 },
      onUpdate: async (next) => {
        await manager.reload();
        if (next.port < 4) await t.config.set(place.key, { port: next.port + 1 });
      },
    });
    await manager.start();
    await t.config.set(place.key, { port: 2 });
    await eventually(() => manager.current.port === 4);
    expect(manager.status.state).toBe('ready');
  });
});

describe('a deleted key', () => {
  it('keeps the configuration, as the Go original does', async () => {
    const place = t.place();
    await t.config.set(place.key, { port: 1 });
    const manager = t.manager({ ...place, defaults: DEFAULTS });
    await manager.start();
    const { types } = collect(manager.events());
    await t.config.delete(place.key);
    await eventually(() => manager.status.absent);
    expect(manager.current.port).toBe(1);
    expect(manager.status).toMatchObject({ state: 'ready', source: 'remote', version: 1 });
    await t.config.set(place.key, { port: 2 });
    await eventually(() => manager.current.port === 2);
    expect(manager.status.absent).toBe(false);
    await eventually(() => expect(types()).toEqual(['deleted', 'applied']));
  });

  it('or goes back to the defaults', async () => {
    const place = t.place();
    await t.config.set(place.key, { port: 1 });
    const manager = t.manager({ ...place, defaults: DEFAULTS, onDelete: 'default' });
    await manager.start();
    const { types } = collect(manager.events());
    await t.config.delete(place.key);
    await eventually(() => manager.current.port === 8080);
    await eventually(() => expect(types()).toEqual(['applied', 'deleted']));
    expect(manager.status).toMatchObject({ state: 'ready', source: 'default', version: 0, absent: true });
  });
});

function issuePaths(create: () => unknown): string[] {
  try {
    create();
  } catch (error) {
    if (error instanceof ValidationError) return error.issues.map(({ path }) => path);
    throw error;
  }
  return [];
}
