import { inspect } from 'node:util';
import { eventually } from '@coord/testkit';
import { SpanStatusCode, trace } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import {
  ClosedError,
  createConfigManager,
  deleteServiceConfig,
  getServiceConfig,
  setServiceConfig,
} from '../src/index.js';
import { observedStage, VALUE } from './observed-stage.js';
import { InMemorySdk } from './telemetry-sdk.js';

const stage = await observedStage();

describe('configuration', () => {
  it('each operation is traced, measured and logged once, with key, outcome and duration', async () => {
    const { config } = await stage.observed();
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
    const told = stage
      .operations()
      .map(({ name, attributes }) =>
        [name.slice('coord.config.'.length), attributes['error.type']].filter(Boolean).join(' '),
      );
    expect(told).toEqual(names);
    expect(await stage.measured()).toEqual(Object.fromEntries(names.map((name) => [`config.${name}`, 1])));
    expect(stage.operations().map(({ attributes }) => attributes['coord.key'])).toEqual(
      ['a', 'a', 'a', 'a', 'none', undefined, 'a', 'b'].map((key) => key && `tele/${key}`),
    );
    for (const { status } of stage.operations()) expect(status.code).toBe(SpanStatusCode.UNSET);
    const durationMs = expect.any(Number);
    expect(stage.logged('config compareAndSet')).toEqual([
      { level: 'debug', message: expect.any(String), fields: { key: 'tele/a', outcome: 'ok', durationMs } },
      {
        level: 'debug',
        message: expect.any(String),
        fields: { key: 'tele/a', outcome: 'COORD_VERSION_CONFLICT', durationMs, reason: expect.any(String) },
      },
    ]);
    expect(stage.logged('config publish').map(({ fields }) => fields)).toEqual([
      { keys: 2, outcome: 'ok', durationMs },
    ]);
  });

  it('the calls that an operation makes are below it, and it is below what the app was doing', async () => {
    const { config } = await stage.observed();
    await trace.getTracer('app').startActiveSpan('request', async (span) => {
      await config.set('tele/below', 1);
      span.end();
    });
    const [set] = stage.sdk.named('coord.config.set');
    const [request] = stage.sdk.named('request');
    expect(set?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId);
    const calls = stage.sdk.spans.filter(({ name }) => name.startsWith('coord.kv.'));
    expect(calls.length).toBeGreaterThan(0);
    for (const { parentSpanContext } of calls) {
      expect(parentSpanContext?.spanId).toBe(set?.spanContext().spanId);
    }
  });

  it('a watch is an operation until it is in place', async () => {
    const { config } = await stage.observed();
    await using watch = config.watch('tele/watched');
    await watch.ready;
    await eventually(() =>
      expect(stage.logged('config watch').map(({ fields }) => fields)).toEqual([
        { key: 'tele/watched', outcome: 'ok', durationMs: expect.any(Number) },
      ]),
    );
    expect(stage.sdk.named('coord.config.watch')).toHaveLength(1);
    const early = config.watch('tele/early');
    await early.close();
    await expect(early.ready).rejects.toThrow(ClosedError);
    await eventually(() => expect(stage.logged('config watch')).toHaveLength(2));
    expect(stage.logged('config watch')[1]).toMatchObject({
      level: 'debug',
      fields: { key: 'tele/early', outcome: 'COORD_CLOSED' },
    });
  });

  it('managers count what became of each configuration', async () => {
    const { config } = await stage.observed();
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
        (await stage.sdk.points('coord.config.updates')).map(({ attributes, value }) => [
          Object.values(attributes).join(' '),
          value,
        ]),
      );
    await eventually(async () =>
      expect(await updates()).toEqual({ applied: expect.any(Number), 'rejected validate': 1, deleted: 1 }),
    );
    expect((await updates()).applied).toBeGreaterThanOrEqual(2);
    const spans = stage.sdk.named('coord.config.update');
    expect(new Set(spans.map(({ attributes }) => attributes['coord.key']))).toEqual(
      new Set(['test/tele/manager']),
    );
    const rejected = spans.filter(({ status }) => status.code === SpanStatusCode.ERROR);
    expect(rejected).toHaveLength(1);
    expect(rejected[0]?.status.message).toBeUndefined(); // the validator's own words may hold anything
  });
});

describe('services', () => {
  it('each operation is traced, measured and logged once, with key, outcome and duration', async () => {
    const { registry } = await stage.observed();
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
    expect(stage.operations().map(({ name }) => name.slice('coord.registry.'.length))).toEqual([
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
    expect(await stage.measured()).toEqual({
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
    const fieldsOf = (message: string) => stage.logged(message).map(({ fields }) => fields);
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
    const { registry } = await stage.observed();
    await setServiceConfig(registry, 'tele', { loadBalancingConfig: [{ coord_weighted: {} }] });
    await getServiceConfig(registry, 'tele');
    await deleteServiceConfig(registry, 'tele');
    const names = ['setServiceConfig', 'getServiceConfig', 'deleteServiceConfig'];
    expect(stage.operations().map(({ name }) => name)).toEqual(names.map((name) => `coord.registry.${name}`));
    for (const name of names) {
      expect(stage.logged(`registry ${name}`).map(({ fields }) => fields)).toEqual([
        { key: expect.stringMatching(/tele$/), outcome: 'ok', durationMs: expect.any(Number) },
      ]);
    }
  });

  it('what gRPC channels are given is counted', async () => {
    const coordinator = await stage.observed();
    const { registry } = coordinator;
    const connection = await coordinator.getConnection('tele-grpc');
    const given = async () =>
      Object.fromEntries(
        (await stage.sdk.points('coord.resolver.updates')).map(({ attributes, value }) => [
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
  const coordinator = await stage.observed({ requestTimeoutMs: 1_000 });
  await stage.etcd.pause();
  try {
    await expect(coordinator.config.get('tele/a')).rejects.toThrow();
    const [span] = stage.sdk.named('coord.config.get');
    expect(span?.status.code).toBe(SpanStatusCode.ERROR);
    expect(span?.attributes['error.type']).toMatch(/COORD_(TIMEOUT|CONNECTION)/);
    expect(stage.logged('config get')).toEqual([
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
    await stage.etcd.resume();
  }
});

it('an SDK that throws makes no operation fail, and takes the place of no error', async () => {
  await stage.sdk.stop();
  const fail = (): never => {
    throw new Error('of the SDK');
  };
  const idle = async () => undefined;
  stage.sdk = new InMemorySdk({
    processor: { onStart: fail, onEnd: fail, forceFlush: idle, shutdown: idle },
    view: { instrumentName: '*', attributesProcessors: [{ process: fail }] },
  });
  const { lock, config } = await stage.observed();
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
  const { config, registry, lock } = await stage.observed();
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
    .set('tele/secret', VALUE, { metadata: JSON.parse(JSON.stringify(VALUE)) })
    .catch(() => undefined);
  await registry.register({ name: 'tele-secret', id: 'a', address: '10.0.0.1', port: 1, metadata });
  await registry.register({ name: 'tele-secret', address: VALUE, port: -1, metadata }).catch(() => undefined);
  await registry.discover('tele-secret');
  const told = [
    stage.sdk.spans.map(({ name, attributes, status, events }) => [name, attributes, status, events]),
    await stage.sdk.metrics(),
    stage.lines,
  ];
  const shown = inspect(told, { depth: 12, maxStringLength: null, maxArrayLength: null });
  for (const name of ['coord.config.compareAndSet', 'coord: registry register', 'coord.operation.duration']) {
    expect(shown).toContain(name);
  }
  expect(shown).not.toContain(VALUE);
});

it('nothing is told of operations unless somebody wants to know', async () => {
  const off = { enableTracing: false, enableMetrics: false, logLevel: 'error' } as const;
  const { config, registry, lock } = await stage.observed(off);
  await lock.withLock('tele/off', () => VALUE);
  await expect(lock.acquire('')).rejects.toThrow();
  await config.set('tele/off', VALUE);
  const registration = await registry.register({ name: 'tele-off', address: '10.0.0.1', port: 1 });
  await registry.discover('tele-off');
  await registration.deregister();
  await expect(config.get('tele/none')).rejects.toThrow();
  expect([stage.sdk.spans, await stage.sdk.metrics(), stage.lines]).toEqual([[], new Map(), []]);
});
