import { inspect } from 'node:util';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { SpanStatusCode, trace } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  ClosedError,
  type CoordConfigInput,
  type Coordinator,
  createConfigManager,
  createCoordinator,
  deleteServiceConfig,
  getServiceConfig,
  setServiceConfig,
} from '../src/index.js';
import { InMemorySdk } from './telemetry-sdk.js';

const VALUE = 'canary-value';

let etcd: EtcdServer;
let sdk: InMemorySdk;
let lines: Line[];
const made: Coordinator[] = [];

interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd?.stop());
beforeEach(() => {
  sdk = new InMemorySdk();
  lines = [];
});
afterEach(async () => {
  await Promise.all(made.splice(0).map((coordinator) => coordinator.close()));
  await sdk.stop();
});

const at =
  (level: string) =>
  (message: unknown, fields: unknown): void => {
    lines.push({ level, message: String(message), fields: Object(fields) });
  };
const logger = { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };

async function observed(config: CoordConfigInput = {}): Promise<Coordinator> {
  const enabled = { enableTracing: true, enableMetrics: true, logLevel: 'debug' } as const;
  const coordinator = await createCoordinator({ ...etcd.connectOptions, ...enabled, ...config }, { logger });
  made.push(coordinator);
  return coordinator;
}

/** The operations that were traced, without the calls that they consist of. */
function operations(): readonly ReadableSpan[] {
  return sdk.spans.filter(({ name }) => !name.startsWith('coord.kv.'));
}

/** What the log says of operations: each with a key or something else to tell it by, an outcome and a duration. */
function logged(message: string): readonly Line[] {
  return lines.filter((line) => line.message === `coord: ${message}` && 'durationMs' in line.fields);
}

/** How often each operation was measured, by outcome. */
async function measured(): Promise<Readonly<Record<string, number>>> {
  const points = await sdk.points('coord.operation.duration');
  return Object.fromEntries(
    points.map(({ attributes, value }) => {
      const { 'coord.operation': operation, 'error.type': type } = attributes;
      return [[operation, type].filter((part) => part !== undefined).join(' '), value];
    }),
  );
}

describe('configuration', () => {
  it('each operation is traced, measured and logged once, with key, outcome and duration', async () => {
    const { config } = await observed();
    const { version } = await config.set('tele/a', { value: VALUE });
    await config.get('tele/a');
    await config.compareAndSet('tele/a', { value: `${VALUE}2` }, version);
    await expect(config.compareAndSet('tele/a', 1, version)).rejects.toThrow();
    await expect(config.get('tele/none')).rejects.toThrow();
    await config.publish([
      { key: 'tele/a', value: 1 },
      { key: 'tele/b', value: 2 },
    ]);
    await config.getHistory('tele/a');
    await config.delete('tele/b');
    const names = [
      'set',
      'get',
      'compareAndSet',
      'compareAndSet COORD_VERSION_CONFLICT',
      'get COORD_NOT_FOUND',
      'publish',
      'getHistory',
      'delete',
    ];
    const told = operations().map(({ name, attributes }) =>
      [name.slice('coord.config.'.length), attributes['error.type']].filter(Boolean).join(' '),
    );
    expect(told).toEqual(names);
    expect(await measured()).toEqual(Object.fromEntries(names.map((name) => [`config.${name}`, 1])));
    expect(operations().map(({ attributes }) => attributes['coord.key'])).toEqual(
      ['a', 'a', 'a', 'a', 'none', undefined, 'a', 'b'].map((key) => key && `tele/${key}`),
    );
    for (const { status } of operations()) expect(status.code).toBe(SpanStatusCode.UNSET);
    const durationMs = expect.any(Number);
    expect(logged('config compareAndSet')).toEqual([
      { level: 'debug', message: expect.any(String), fields: { key: 'tele/a', outcome: 'ok', durationMs } },
      {
        level: 'debug',
        message: expect.any(String),
        fields: { key: 'tele/a', outcome: 'COORD_VERSION_CONFLICT', durationMs, reason: expect.any(String) },
      },
    ]);
    expect(logged('config publish').map(({ fields }) => fields)).toEqual([
      { keys: 2, outcome: 'ok', durationMs },
    ]);
  });

  it('the calls that an operation makes are below it, and it is below what the app was doing', async () => {
    const { config } = await observed();
    await trace.getTracer('app').startActiveSpan('request', async (span) => {
      await config.set('tele/below', 1);
      span.end();
    });
    const [set] = sdk.named('coord.config.set');
    const [request] = sdk.named('request');
    expect(set?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId);
    const calls = sdk.spans.filter(({ name }) => name.startsWith('coord.kv.'));
    expect(calls.length).toBeGreaterThan(0);
    for (const { parentSpanContext } of calls) {
      expect(parentSpanContext?.spanId).toBe(set?.spanContext().spanId);
    }
  });

  it('a watch is an operation until it is in place', async () => {
    const { config } = await observed();
    await using watch = config.watch('tele/watched');
    await watch.ready;
    await eventually(() =>
      expect(logged('config watch').map(({ fields }) => fields)).toEqual([
        { key: 'tele/watched', outcome: 'ok', durationMs: expect.any(Number) },
      ]),
    );
    expect(sdk.named('coord.config.watch')).toHaveLength(1);
    const early = config.watch('tele/early');
    await early.close();
    await expect(early.ready).rejects.toThrow(ClosedError);
    await eventually(() => expect(logged('config watch')).toHaveLength(2));
    expect(logged('config watch')[1]).toMatchObject({
      level: 'debug',
      fields: { key: 'tele/early', outcome: 'COORD_CLOSED' },
    });
  });

  it('managers count what became of each configuration', async () => {
    const { config } = await observed();
    const options = { env: 'test', service: 'tele', component: 'manager', defaults: { port: 1 } };
    const validate = ({ port }: { port: number }) => {
      if (port > 100) throw new Error(`${VALUE}: too high`);
    };
    const manager = createConfigManager({ config, ...options, validate });
    await using _ = manager;
    await manager.start();
    for (const port of [2, 200, 3]) {
      const { version } = await config.set('test/tele/manager', { port });
      await manager.waitFor(version).catch(() => undefined);
    }
    await config.delete('test/tele/manager');
    const updates = async () =>
      Object.fromEntries(
        (await sdk.points('coord.config.updates')).map(({ attributes, value }) => [
          Object.values(attributes).join(' '),
          value,
        ]),
      );
    await eventually(async () =>
      expect(await updates()).toEqual({ applied: expect.any(Number), 'rejected validate': 1, deleted: 1 }),
    );
    expect((await updates()).applied).toBeGreaterThanOrEqual(2);
    const spans = sdk.named('coord.config.update');
    expect(new Set(spans.map(({ attributes }) => attributes['coord.key']))).toEqual(
      new Set(['test/tele/manager']),
    );
    const rejected = spans.filter(({ status }) => status.code === SpanStatusCode.ERROR);
    expect(rejected).toHaveLength(1);
    expect(rejected[0]?.status.message).toBeUndefined(); // the validator's own words may hold anything
  });
});

describe('locks', () => {
  const points = async (name: string) =>
    Object.fromEntries(
      (await sdk.points(name)).map(({ attributes, value }) => [Object.values(attributes).join(' '), value]),
    );

  it('each operation is traced, measured and logged once, with key, outcome and duration', async () => {
    const { lock } = await observed();
    const held = await lock.acquire('tele/a');
    await expect(lock.tryAcquire('tele/a')).rejects.toThrow();
    await expect(lock.acquire('tele/a', { timeoutMs: 100 })).rejects.toThrow();
    await held.renew();
    await lock.inspect('tele/a');
    await lock.list();
    await held.release();
    await expect(lock.forceRelease('tele/a', 1n)).rejects.toThrow();
    const entry = await lock.acquireReentrant('tele/a', { owner: 'me' });
    await entry.release();
    const reading = await lock.acquireReadLock('tele/a');
    const writing = await reading.tryUpgrade();
    await (await writing.downgrade()).release();
    await (await lock.tryAcquireWriteLock('tele/a')).release();
    await (await lock.acquireAll(['tele/a', 'tele/b'])).release();
    const semaphore = lock.semaphore('tele/a', { permits: 2 });
    await (await semaphore.acquire(2)).release();
    await semaphore.setPermits(1);
    const told = operations().map(({ name, attributes }) =>
      [name.slice('coord.lock.'.length), attributes['coord.lock.kind'], attributes['error.type']]
        .filter(Boolean)
        .join(' '),
    );
    expect(told).toEqual([
      'acquire mutex',
      'tryAcquire mutex COORD_LOCK_CONFLICT',
      'acquire mutex COORD_LOCK_TIMEOUT',
      'renew mutex',
      'inspect',
      'list',
      'release mutex',
      'forceRelease COORD_NOT_FOUND',
      'acquire mutex',
      'acquireReentrant',
      'release mutex',
      'acquire read',
      'tryUpgrade',
      'downgrade',
      'release read',
      'tryAcquire write',
      'release write',
      'acquire multi',
      'release multi',
      'acquire semaphore',
      'release semaphore',
      'setPermits',
    ]);
    expect(await measured()).toMatchObject({
      'lock.acquire COORD_LOCK_TIMEOUT': 1,
      'lock.tryAcquire COORD_LOCK_CONFLICT': 1,
      'lock.renew': 1,
      'lock.setPermits': 1,
    });
    const durationMs = expect.any(Number);
    const acquired = logged('lock acquire').map(({ level, fields }) => ({ level, ...fields }));
    expect(acquired[0]).toEqual({
      level: 'debug',
      key: 'tele/a',
      outcome: 'ok',
      durationMs,
      fencingToken: held.fencingToken.toString(),
    });
    expect(acquired[1]).toEqual({
      level: 'warn',
      key: 'tele/a',
      outcome: 'COORD_LOCK_TIMEOUT',
      durationMs,
      reason: expect.stringContaining('tele/a'),
    });
    expect(logged('lock release')[0]).toMatchObject({
      level: 'debug',
      fields: { key: 'tele/a', outcome: 'ok' },
    });
  });

  it('waiting, holding and contention are measured by kind, each once', async () => {
    const { lock, client } = await observed();
    const first = await lock.acquire('tele/m');
    expect(await points('coord.lock.held')).toEqual({ mutex: 1 });
    const waiting = lock.acquire('tele/m');
    await eventually(async () => expect(await points('coord.lock.waiting')).toEqual({ mutex: 1 }));
    await first.release();
    const second = await waiting;
    await expect(lock.tryAcquire('tele/m')).rejects.toThrow();
    expect(await points('coord.lock.wait.duration')).toEqual({ mutex: 2, 'mutex COORD_LOCK_CONFLICT': 1 });
    expect(await points('coord.lock.contended')).toEqual({ mutex: 2 });
    expect(await points('coord.lock.waiting')).toEqual({ mutex: 0 });
    expect(await points('coord.lock.hold.duration')).toEqual({ 'mutex released': 1 });
    await client.kv.delete(second.etcdKey);
    expect(await second.isHeld()).toBe(false);
    expect(await points('coord.lock.hold.duration')).toEqual({ 'mutex released': 1, 'mutex lost': 1 });
    const read = await lock.acquireReadLock('tele/m');
    const write = await read.tryUpgrade();
    expect(await points('coord.lock.held')).toEqual({ mutex: 0, read: 0, write: 1 });
    await write.release();
    expect(await points('coord.lock.held')).toEqual({ mutex: 0, read: 0, write: 0 });
    expect(await points('coord.lock.hold.duration')).toMatchObject({
      'read converted': 1,
      'write released': 1,
    });
  });

  it('what runs in withLock is below its span, and so are acquisition and release', async () => {
    const { lock } = await observed();
    const tracer = trace.getTracer('app');
    const work = (name: string) =>
      lock.withLock(name, async () => {
        const own = trace.getActiveSpan();
        await new Promise(setImmediate);
        expect(trace.getActiveSpan()).toBe(own);
        await tracer.startActiveSpan(`work on ${name}`, async (span) => {
          await new Promise(setImmediate);
          span.end();
        });
      });
    await tracer.startActiveSpan('request', async (span) => {
      await Promise.all([work('tele/w1'), work('tele/w2'), work('tele/w1')]);
      span.end();
    });
    const request = sdk.named('request')[0];
    const around = sdk.named('coord.lock.withLock');
    expect(around).toHaveLength(3);
    for (const each of around) {
      expect(each.parentSpanContext?.spanId).toBe(request?.spanContext().spanId);
      const below = operations().filter(
        ({ parentSpanContext }) => parentSpanContext?.spanId === each.spanContext().spanId,
      );
      expect(below.map(({ name }) => name)).toEqual([
        'coord.lock.acquire',
        `work on ${String(each.attributes['coord.key'])}`,
        'coord.lock.release',
      ]);
    }
  });

  it('an error of what runs in withLock is told by its class alone', async () => {
    const { lock } = await observed();
    const failing = lock.withLock('tele/a', () => {
      throw new RangeError(VALUE);
    });
    await expect(failing).rejects.toThrow(VALUE);
    const [span] = sdk.named('coord.lock.withLock');
    expect(span?.attributes['error.type']).toBe('RangeError');
    expect(span?.status).toEqual({ code: SpanStatusCode.ERROR });
    expect(span?.events).toEqual([]);
  });
});

describe('services', () => {
  it('each operation is traced, measured and logged once, with key, outcome and duration', async () => {
    const { registry } = await observed();
    const instance = { name: 'tele', id: 'a', address: '10.0.0.1', port: 1, metadata: { secret: VALUE } };
    const registration = await registry.register(instance);
    expect(await registry.discover('tele')).toHaveLength(1);
    expect(await registry.listServices()).toEqual(['tele']);
    await registry.updateHealth('tele', 'a', 'unhealthy');
    await registration.updateHealth('healthy');
    await registration.drain({ waitMs: 1 });
    await registration.deregister();
    await expect(registry.updateHealth('tele', 'gone', 'healthy')).rejects.toThrow();
    await registry.deregister('tele', 'gone');
    expect(operations().map(({ name }) => name.slice('coord.registry.'.length))).toEqual([
      'register',
      'discover',
      'listServices',
      'updateHealth',
      'updateHealth',
      'drain',
      'deregister',
      'updateHealth',
      'deregister',
    ]);
    expect(await measured()).toEqual({
      'registry.register': 1,
      'registry.discover': 1,
      'registry.listServices': 1,
      'registry.updateHealth': 2,
      'registry.updateHealth COORD_NOT_FOUND': 1,
      'registry.drain': 1,
      'registry.deregister': 2,
    });
    const key = '/services/tele/a';
    const durationMs = expect.any(Number);
    const fieldsOf = (message: string) => logged(message).map(({ fields }) => fields);
    expect(fieldsOf('registry register')).toEqual([{ key, outcome: 'ok', durationMs }]);
    expect(fieldsOf('registry discover')).toEqual([
      { key: '/services/tele/', outcome: 'ok', durationMs, count: 1 },
    ]);
    expect(fieldsOf('registry drain')).toEqual([{ key, outcome: 'ok', durationMs }]);
    expect(fieldsOf('registry updateHealth').at(-1)).toMatchObject({
      key: '/services/tele/gone',
      outcome: 'COORD_NOT_FOUND',
    });
    expect(registration.state).toBe('deregistered');
    expect(registration.service).toMatchObject({ name: 'tele', id: 'a' });
  });

  it('so are those on the service configs of gRPC', async () => {
    const { registry } = await observed();
    await setServiceConfig(registry, 'tele', { loadBalancingConfig: [{ coord_weighted: {} }] });
    await getServiceConfig(registry, 'tele');
    await deleteServiceConfig(registry, 'tele');
    const names = ['setServiceConfig', 'getServiceConfig', 'deleteServiceConfig'];
    expect(operations().map(({ name }) => name)).toEqual(names.map((name) => `coord.registry.${name}`));
    for (const name of names) {
      expect(logged(`registry ${name}`).map(({ fields }) => fields)).toEqual([
        { key: expect.stringMatching(/tele$/), outcome: 'ok', durationMs: expect.any(Number) },
      ]);
    }
  });

  it('what gRPC channels are given is counted', async () => {
    const coordinator = await observed();
    const { registry } = coordinator;
    const connection = await coordinator.getConnection('tele-grpc');
    const given = async () =>
      Object.fromEntries(
        (await sdk.points('coord.resolver.updates')).map(({ attributes, value }) => [
          attributes['coord.resolver.result'],
          value,
        ]),
      );
    connection.waitForReady({ timeoutMs: 60_000 }).catch(() => undefined); // nobody is there
    await eventually(async () => expect((await given()).empty).toBeGreaterThan(0));
    await registry.register({ name: 'tele-grpc', address: '127.0.0.1', port: 1 });
    await eventually(async () => expect((await given()).addresses).toBeGreaterThan(0));
  });
});

it('trouble is a warning in the log and an error in the trace', async () => {
  const coordinator = await observed({ requestTimeoutMs: 1_000 });
  await etcd.pause();
  try {
    await expect(coordinator.config.get('tele/a')).rejects.toThrow();
    const [span] = sdk.named('coord.config.get');
    expect(span?.status.code).toBe(SpanStatusCode.ERROR);
    expect(span?.attributes['error.type']).toMatch(/COORD_(TIMEOUT|CONNECTION)/);
    expect(logged('config get')).toEqual([
      {
        level: 'warn',
        message: 'coord: config get',
        fields: {
          key: 'tele/a',
          outcome: span?.attributes['error.type'],
          durationMs: expect.any(Number),
          reason: expect.any(String),
        },
      },
    ]);
  } finally {
    await etcd.resume();
  }
});

it('an SDK that throws makes no operation fail, and takes the place of no error', async () => {
  await sdk.stop();
  const fail = (): never => {
    throw new Error('of the SDK');
  };
  const idle = async () => undefined;
  sdk = new InMemorySdk({
    processor: { onStart: fail, onEnd: fail, forceFlush: idle, shutdown: idle },
    view: { instrumentName: '*', attributesProcessors: [{ process: fail }] },
  });
  const { lock, config } = await observed();
  expect(await lock.withLock('tele/a', () => VALUE)).toBe(VALUE);
  expect((await config.set('tele/broken', VALUE)).version).toBe(1);
  const unspeakable = new Proxy(new Error(VALUE), { get: fail, has: fail, getPrototypeOf: fail });
  const thrown = await lock
    .withLock('tele/a', () => Promise.reject(unspeakable))
    .then(
      () => [],
      (error: unknown) => [error], // by itself, a promise would look at it
    );
  expect(thrown[0] === unspeakable).toBe(true);
  expect((await lock.inspect('tele/a')).holder).toBeUndefined();
});

it('no value is in a span, a metric or the log, whatever fails', async () => {
  const { config, registry, lock } = await observed();
  await lock.withLock('tele/secret', (held) =>
    held.txn({ success: [{ put: { key: 'tele/v', value: VALUE } }] }),
  );
  const metadata = { secret: VALUE };
  await config.set('tele/secret', { password: VALUE });
  const schema = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value: unknown) => ({ issues: [{ message: `${inspect(value)} will not do` }] }),
    },
  } as const;
  await expect(config.set('tele/secret', VALUE, { schema })).rejects.toThrow(VALUE);
  await config.compareAndSet('tele/secret', VALUE, 99).catch(() => undefined);
  await config
    .set('tele/secret', VALUE, { metadata: VALUE as unknown as Record<string, string> })
    .catch(() => undefined);
  await registry.register({ name: 'tele-secret', id: 'a', address: '10.0.0.1', port: 1, metadata });
  await registry.register({ name: 'tele-secret', address: VALUE, port: -1, metadata }).catch(() => undefined);
  await registry.discover('tele-secret');
  const told = [
    sdk.spans.map(({ name, attributes, status, events }) => [name, attributes, status, events]),
    await sdk.metrics(),
    lines,
  ];
  const shown = inspect(told, { depth: 12, maxStringLength: null, maxArrayLength: null });
  for (const name of ['coord.config.compareAndSet', 'coord: registry register', 'coord.operation.duration']) {
    expect(shown).toContain(name);
  }
  expect(shown).not.toContain(VALUE);
});

it('nothing is told of operations unless somebody wants to know', async () => {
  const off = { enableTracing: false, enableMetrics: false, logLevel: 'error' } as const;
  const { config, registry, lock } = await observed(off);
  await lock.withLock('tele/off', () => VALUE);
  await expect(lock.acquire('')).rejects.toThrow();
  await config.set('tele/off', VALUE);
  const registration = await registry.register({ name: 'tele-off', address: '10.0.0.1', port: 1 });
  await registry.discover('tele-off');
  await registration.deregister();
  await expect(config.get('tele/none')).rejects.toThrow();
  expect([sdk.spans, await sdk.metrics(), lines]).toEqual([[], new Map(), []]);
});
