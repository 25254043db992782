import { inspect } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type ClientOptions, type CoordClient, connect, createClient, type Logger } from '@coord/client';
import { internalsOf } from '@coord/client/internal';
import { type EtcdServer, eventually, startEtcd, startProxy } from '@coord/testkit';
import { context, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { InMemorySdk } from './telemetry-sdk.js';

const VALUE = 'canary-value';
const PASSWORD = 'canary-password';

let etcd: EtcdServer;
let sdk: InMemorySdk;
const clients: CoordClient[] = [];

beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd?.stop());
beforeEach(() => {
  sdk = new InMemorySdk();
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await sdk.stop();
});

async function observed(options: ClientOptions = {}): Promise<CoordClient> {
  const client = await connect({
    ...etcd.connectOptions,
    enableTracing: true,
    enableMetrics: true,
    ...options,
  });
  clients.push(client);
  return client;
}

/** Runs something in a span of the app's own, and ends it. */
async function within<T>(name: string, run: (span: Span) => Promise<T>): Promise<T> {
  return await trace.getTracer('app').startActiveSpan(name, async (span) => {
    try {
      return await run(span);
    } finally {
      span.end();
    }
  });
}

describe('spans of calls', () => {
  it('are one for each call, below the span of the caller, and say what was asked of whom', async () => {
    const { kv } = await observed();
    const parent = await within('request', async (span) => {
      await kv.put('tele/a', VALUE);
      await kv.get('tele/a');
      await kv.range({ prefix: 'tele/' });
      for await (const { key } of kv.list({ prefix: 'tele/' }, { pageSize: 1 })) expect(key).toBe('tele/a');
      await kv.txn({ success: [{ get: 'tele/a' }] });
      await kv.delete(Buffer.from('tele/a'));
      return span.spanContext();
    });
    const spans = sdk.spans.filter(({ name }) => name !== 'request');
    expect(spans.map(({ name }) => name)).toEqual(
      ['put', 'get', 'range', 'list', 'txn', 'delete'].map((name) => `coord.kv.${name}`),
    );
    const { hostname, port } = new URL(etcd.endpoint);
    for (const { name, kind, attributes, status, parentSpanContext } of spans) {
      expect(parentSpanContext).toEqual(parent);
      expect(kind).toBe(SpanKind.CLIENT);
      expect(status.code).toBe(SpanStatusCode.UNSET);
      expect(attributes).toMatchObject({
        'db.system.name': 'etcd',
        'db.operation.name': name.slice('coord.kv.'.length),
        'server.address': hostname,
        'server.port': Number(port),
      });
    }
    expect(spans.map(({ attributes }) => attributes['coord.key'] ?? attributes['coord.prefix'])).toEqual([
      'tele/a',
      'tele/a',
      'tele/',
      'tele/',
      undefined,
      'tele/a',
    ]);
  });

  it('are one for each page of a list, however far it is read', async () => {
    const { kv } = await observed();
    for (const key of ['pages/1', 'pages/2', 'pages/3']) await kv.put(key, VALUE);
    const seen: string[] = [];
    for await (const { key } of kv.list({ prefix: 'pages/' }, { pageSize: 1 })) seen.push(key);
    expect(seen).toEqual(['pages/1', 'pages/2', 'pages/3']);
    expect(sdk.named('coord.kv.list')).toHaveLength(3);
    for await (const _ of kv.list({ prefix: 'pages/' }, { pageSize: 1 })) break;
    expect(sdk.named('coord.kv.list')).toHaveLength(4);
    expect(() => kv.list({ prefix: 'pages/' }, { pageSize: 0 })).toThrow(/pageSize/);
  });

  it('tell a failure by its code and outcome; what callers reckon with is no error', async () => {
    const { kv } = await observed();
    const failed = { leaseId: 123_456n };
    await expect(kv.put('tele/a', VALUE, failed)).rejects.toThrow(/lease/);
    await expect(kv.get('')).rejects.toThrow(/empty/);
    await expect(kv.range({ prefix: 'a', start: VALUE } as unknown as string)).rejects.toThrow();
    const away = createClient({ endpoints: ['127.0.0.1:1'], requestTimeoutMs: 300, enableTracing: true });
    clients.push(away);
    await expect(away.kv.get('tele/a')).rejects.toThrow();
    const [lease, empty, , unreachable] = sdk.spans;
    expect(lease?.attributes).toMatchObject({
      'error.type': 'COORD_NOT_FOUND',
      'coord.outcome': 'not-applied',
    });
    expect(lease?.status.code).toBe(SpanStatusCode.UNSET);
    expect(empty?.attributes['error.type']).toBe('COORD_VALIDATION');
    expect(unreachable?.attributes).toMatchObject({ 'server.address': '127.0.0.1', 'server.port': 1 });
    expect(unreachable?.attributes['error.type']).toMatch(/COORD_(CONNECTION|TIMEOUT)/);
    expect(unreachable?.status.code).toBe(SpanStatusCode.ERROR);
    expect(unreachable?.status.message).toContain('127.0.0.1:1');
  });

  it('stay in the context of their callers, also where calls share a request', async () => {
    const { kv } = await observed();
    const callers = Array.from({ length: 40 }, (_, i) => i);
    const seen = await Promise.all(
      callers.map((i) =>
        within(`caller ${i}`, async (span) => {
          await kv.put(`tele/shared/${i}`, VALUE);
          await kv.get(`tele/shared/${i}`);
          expect(trace.getActiveSpan()).toBe(span);
          return span.spanContext();
        }),
      ),
    );
    for (const [i, { spanId, traceId }] of seen.entries()) {
      const own = sdk.spans.filter(({ attributes }) => attributes['coord.key'] === `tele/shared/${i}`);
      expect(own.map(({ name }) => name)).toEqual(['coord.kv.put', 'coord.kv.get']);
      for (const span of own) {
        expect(span.parentSpanContext?.spanId).toBe(spanId);
        expect(span.spanContext().traceId).toBe(traceId);
      }
    }
    const batches = await sdk.points('coord.kv.batch.size');
    expect(batches).toHaveLength(1);
    expect(batches[0]?.sum).toBe(80);
    expect(batches[0]?.value).toBeLessThan(80); // some did share a request
  });

  it('have no parent that has ended, but a link to it', async () => {
    const { kv } = await observed();
    const later = await within('request', async (span) => ({
      span,
      call: context.bind(context.active(), () => kv.get('tele/a')),
    }));
    await later.call();
    const [call] = sdk.named('coord.kv.get');
    expect(call?.parentSpanContext).toBeUndefined();
    expect(call?.links.map((link) => link.context.spanId)).toEqual([later.span.spanContext().spanId]);
  });

  it('go below a span of another process', async () => {
    const { kv } = await observed();
    const remote = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1, isRemote: true };
    await context.with(trace.setSpanContext(ROOT_CONTEXT, remote), () => kv.get('tele/a'));
    expect(sdk.named('coord.kv.get')[0]?.parentSpanContext).toEqual(remote);
  });
});

describe('metrics', () => {
  it('measure calls, by operation, server and kind of failure', async () => {
    const { kv } = await observed();
    await kv.put('tele/a', VALUE);
    await kv.get('tele/a');
    await kv.get('tele/b');
    await expect(kv.get('')).rejects.toThrow();
    const { unit, points } = (await sdk.metrics()).get('db.client.operation.duration') ?? expect.fail('none');
    expect(unit).toBe('s');
    const { hostname, port } = new URL(etcd.endpoint);
    const common = { 'db.system.name': 'etcd', 'server.address': hostname, 'server.port': Number(port) };
    expect(points.map(({ attributes, value }) => ({ attributes, value }))).toEqual([
      { attributes: { ...common, 'db.operation.name': 'put' }, value: 1 },
      { attributes: { ...common, 'db.operation.name': 'get' }, value: 2 },
      { attributes: { ...common, 'db.operation.name': 'get', 'error.type': 'COORD_VALIDATION' }, value: 1 },
    ]);
  });

  it('count a lost session once', async () => {
    const client = await observed();
    const [lost, closed] = await Promise.all([
      client.session({ ttlMs: 2_000 }),
      client.session({ ttlMs: 60_000 }),
    ]);
    await etcd.etcdctl(['lease', 'revoke', lost.leaseId.toString(16)]);
    await eventually(() => expect(lost.state).toBe('lost'));
    await closed.close();
    expect(await sdk.points('coord.session.lost')).toEqual([{ attributes: {}, value: 1, sum: 1 }]);
  });

  it('tell how late a live copy shows the writes of its client, each once', async () => {
    const client = await observed();
    const cache = client.cache({ prefix: 'lag/' }, { decode: (kv) => kv.text() });
    await cache.ready;
    for (let i = 0; i < 5; i++) {
      const { revision } = await client.kv.put(`lag/${i}`, VALUE);
      await cache.waitFor(revision);
    }
    await client.kv.put('elsewhere', VALUE);
    const [lag] = await sdk.points('coord.watch.lag');
    expect(lag?.value).toBe(5);
  });

  it('tell how long a watch waits for its reader', async () => {
    const client = await observed();
    const watch = client.watch({ prefix: 'queue/' });
    await watch.ready;
    const copy = client.cache({ prefix: 'queue/' }, { decode: (kv) => kv.text() });
    await copy.ready;
    for (const key of ['queue/1', 'queue/2']) await copy.waitFor((await client.kv.put(key, VALUE)).revision);
    const startedAt = performance.now();
    await eventually(() => expect(performance.now() - startedAt).toBeGreaterThan(200)); // a reader that takes its time
    let read = 0;
    for await (const _ of watch) if (++read === 2) break;
    const [queued] = await sdk.points('coord.watch.queue.duration');
    expect(queued?.value).toBe(2);
    expect(queued?.sum).toBeGreaterThan(0.2);
  });

  it('tell the age of the oldest copy in use, until the client closes', async () => {
    const age = async () => (await sdk.points('coord.cache.age')).map(({ value }) => value);
    const proxy = await startProxy({ target: etcd.endpoint });
    try {
      expect(await age()).toEqual([]);
      const [near, far] = [await observed(), await observed({ endpoints: [proxy.endpoint] })];
      const copies = [near, far].map((client) =>
        client.cache({ prefix: 'age/' }, { decode: (kv) => kv.text() }),
      );
      await Promise.all(copies.map((copy) => copy.ready));
      await eventually(async () => expect(await age()).toEqual([0]));
      await proxy.close();
      await eventually(async () => expect((await age())[0]).toBeGreaterThan(0.1), { timeoutMs: 30_000 });
      await far.close();
      await eventually(async () => expect(await age()).toEqual([0])); // that of the other client
      await near.close();
      expect(await age()).toEqual([0]); // and not what it was when it was last looked at
    } finally {
      await proxy.close();
    }
  });
});

it('a client that is closed is not kept alive by what was measured of it', async () => {
  const closed = await (async () => {
    const client = await connect({ ...etcd.connectOptions, enableTracing: true, enableMetrics: true });
    const copy = client.cache({ prefix: 'kept/' }, { decode: (kv) => kv.text() });
    await copy.ready;
    await sdk.metrics();
    await client.close();
    return new WeakRef(client);
  })();
  setFlagsFromString('--expose-gc');
  const collectGarbage: () => void = runInNewContext('gc');
  await eventually(
    () => {
      collectGarbage();
      expect(closed.deref() === undefined).toBe(true); // an error that shows it would keep it
    },
    { timeoutMs: 30_000 },
  );
});

it('nothing is traced or measured unless it is enabled', async () => {
  const client = await observed({ enableTracing: false, enableMetrics: false });
  const { operations, calls, meter, metrics } = internalsOf(client).telemetry;
  expect([operations.active, calls, meter, metrics]).toEqual([false, undefined, undefined, undefined]);
  const result = Promise.resolve(5);
  const operation = { name: 'coord.test' } as const;
  expect(operations.observe(operation, {}, () => result)).toBe(result); // not even a promise of its own
  expect(operations.trace(operation, {}, () => result)).toBe(result);
  const cache = client.cache({ prefix: 'off/' }, { decode: (kv) => kv.text() });
  await cache.ready;
  await client.kv.put('off/a', VALUE);
  expect(sdk.spans).toEqual([]);
  expect(await sdk.metrics()).toEqual(new Map());
});

it('each of the two can be had without the other', async () => {
  const traced = await observed({ enableMetrics: false });
  await traced.kv.get('tele/a');
  expect(sdk.spans).toHaveLength(1);
  expect(await sdk.metrics()).toEqual(new Map());
  sdk.forgetSpans();
  const measured = await observed({ enableTracing: false });
  await measured.kv.get('tele/a');
  expect(sdk.spans).toEqual([]);
  expect([...(await sdk.metrics()).keys()]).toContain('db.client.operation.duration');
});

describe('operations in the log', () => {
  const ok = () => Promise.resolve('result');
  const operation = { name: 'coord.test.work' } as const;

  it('say key, outcome and duration: success at debug, trouble as a warning', async () => {
    const lines: unknown[][] = [];
    const at =
      (level: string) =>
      (...args: unknown[]) =>
        lines.push([level, ...args]);
    const logger: Logger = { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
    const { telemetry } = internalsOf(await observed({ logger, logLevel: 'debug' }));
    lines.length = 0;
    const { operations } = telemetry;
    await operations.observe(operation, { key: 'a\n\u001b[31mb' }, ok, (length) => ({
      length: length.length,
    }));
    await expect(
      operations.observe(operation, { key: 'a' }, () => Promise.reject(new Error(VALUE))),
    ).rejects.toThrow(VALUE);
    await expect(
      operations.observe(operation, { key: 'a' }, () =>
        internalsOf(clients[0] as CoordClient).borrowSession('x', -1),
      ),
    ).rejects.toThrow();
    const durationMs = expect.any(Number);
    expect(lines).toEqual([
      ['debug', 'coord: test work', { key: 'a\\x0a\\x1b[31mb', outcome: 'ok', durationMs, length: 6 }],
      ['warn', 'coord: test work', { key: 'a', outcome: 'Error', durationMs }],
      ['debug', 'coord: test work', { key: 'a', outcome: 'COORD_VALIDATION', durationMs }],
    ]);
  });

  it.each([
    ['info', ['warn']],
    ['warn', ['warn']],
    ['error', []],
    ['silent', []],
  ] as const)('honour the level %s', async (logLevel, expected) => {
    const levels: string[] = [];
    const at = (level: string) => () => levels.push(level);
    const logger: Logger = { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
    const client = await observed({ logger, logLevel, enableTracing: false, enableMetrics: false });
    levels.length = 0;
    const { operations } = internalsOf(client).telemetry;
    await operations.observe(operation, {}, ok);
    await operations.observe(operation, {}, () => Promise.reject(new Error('x'))).catch(() => undefined);
    expect(levels).toEqual(expected);
  });
});

it('no span and no metric holds a value or a password', async () => {
  const options = { username: 'nobody', password: PASSWORD, requestTimeoutMs: 5_000 };
  const refused = createClient({
    ...etcd.connectOptions,
    ...options,
    enableTracing: true,
    enableMetrics: true,
  });
  clients.push(refused);
  await refused.kv.put('tele/a', VALUE).catch(() => undefined);
  const { kv } = await observed();
  await kv.put('tele/a', VALUE);
  await kv.put('tele/a', VALUE, { leaseId: 9n }).catch(() => undefined);
  await kv.put('tele/a', VALUE.repeat(200_000)).catch(() => undefined);
  await kv.txn({ compare: [{ key: 'tele/a', target: 'value', is: '=', to: VALUE }] });
  const shown = inspect(
    [
      sdk.spans.map(({ name, attributes, status, events }) => [name, attributes, status, events]),
      await sdk.metrics(),
    ],
    { depth: 12, maxStringLength: null, maxArrayLength: null },
  );
  expect(shown).toContain('coord.kv.txn');
  expect(shown).not.toContain(VALUE);
  expect(shown).not.toContain(PASSWORD);
});
