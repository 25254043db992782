import type { EtcdServer } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import {
  type CacheOptions,
  type CoordClient,
  connect,
  createClient,
  type Op,
  type Session,
  type WatchCache,
} from '../src/index.js';
import { mistreat } from './bad-input-support.js';
import {
  bad,
  detached,
  expectRefused,
  hostile,
  NOTHING_GOOD,
  rejection,
  revoked,
  throwing,
  thrown,
  WRONG_COUNTS,
  WRONG_FLAGS,
  WRONG_KEYS,
  WRONG_MS,
  WRONG_OPTIONS,
  WRONG_REVISIONS,
  WRONG_SIGNALS,
} from './bad-input-values.js';

let etcd: EtcdServer;
let client: CoordClient;
let session: Session;
let cache: WatchCache<string>;
mistreat((made) => {
  ({ etcd, client, session, cache } = made);
});

/** Every public function that takes a key, by where it takes it. */
const KEY_CALLS: Readonly<Record<string, (key: unknown) => Promise<unknown>>> = {
  get: (key) => client.kv.get(bad(key)),
  put: (key) => client.kv.put(bad(key), 'x'),
  'txn: put': (key) => client.kv.txn({ success: [{ put: { key: bad(key), value: 'x' } }] }),
  'txn, nested: put': (key) =>
    client.kv.txn({ success: [{ txn: { failure: [{ put: { key: bad(key), value: 'x' } }] } }] }),
};
/** Every one that takes a range: a bad key is a bad range, and so is one with a bad key in it. */
const RANGE_CALLS: Readonly<Record<string, (range: unknown) => Promise<unknown>>> = {
  range: (range) => client.kv.range(bad(range)),
  delete: (range) => client.kv.delete(bad(range)),
  'put, exclusive': (range) => client.kv.put('a', 'x', { exclusive: [bad(range)] }),
  'txn: get': (range) => client.kv.txn({ success: [{ get: bad(range) }] }),
  'txn: delete': (range) => client.kv.txn({ failure: [{ delete: bad(range) }] }),
  'txn: compare': (range) => client.kv.txn({ compare: [{ key: bad(range), target: 'mod', is: '=', to: 0 }] }),
};
const RANGE_OBJECTS: Readonly<Record<string, (range: unknown) => unknown>> = {
  list: (range) => client.kv.list(bad(range)),
  watch: (range) => client.watch(bad(range)),
  cache: (range) => client.cache(bad(range), { decode: (kv) => kv.text() }),
};

describe('a key that is none is refused by', () => {
  it.each(Object.entries({ ...KEY_CALLS, ...RANGE_CALLS }))('kv.%s', async (_, call) => {
    for (const [name, key] of Object.entries(WRONG_KEYS)) {
      expectRefused(await rejection(() => call(key)).catch((error) => expect.fail(`${name}: ${error}`)));
    }
  });

  it.each(Object.entries(RANGE_OBJECTS))('%s', (_, make) => {
    for (const key of Object.values(WRONG_KEYS)) expectRefused(thrown(() => make(key)));
  });

  it('cache.get', () => {
    for (const key of Object.values(NOTHING_GOOD)) expectRefused(thrown(() => cache.get(bad(key))));
    expectRefused(thrown(() => cache.get(detached())));
  });
});

const WRONG_RANGES: readonly unknown[] = [
  {},
  { start: 'a' },
  { end: 'b' },
  { start: 'b', end: 'a' },
  { start: 'a', end: 'a' },
  { start: 'a', end: null },
  { start: '\ud800', end: 'b' },
  { prefix: '\ud800' },
  { prefix: null },
  { prefix: undefined },
  { prefix: 5 },
  { prefix: Symbol('s') },
  { prefix: 'a', start: 'a', end: 'b' },
  throwing('prefix'),
  throwing('start'),
];

describe('a range that is none is refused by', () => {
  it.each(Object.entries(RANGE_CALLS))('kv.%s', async (_, call) => {
    for (const range of WRONG_RANGES) expectRefused(await rejection(() => call(range)));
  });

  it.each(Object.entries(RANGE_OBJECTS))('%s', (_, make) => {
    for (const range of WRONG_RANGES) expectRefused(thrown(() => make(range)));
  });
});

describe('a name that does not exist', () => {
  const calls: Readonly<Record<string, (options: unknown) => Promise<unknown>>> = {
    'kv.get': (options) => client.kv.get('a', bad(options)),
    'kv.range': (options) => client.kv.range('a', bad(options)),
    'kv.put': (options) => client.kv.put('a', 'x', bad(options)),
    'kv.delete': (options) => client.kv.delete('a', bad(options)),
    'kv.txn': (options) => client.kv.txn({ success: [{ put: { key: 'a', value: 'x' } }] }, bad(options)),
    session: (options) => client.session(bad(options)),
    'session.keepAlive': (options) => session.keepAlive(bad(options)),
    'session.close': (options) => session.close(bad(options)),
    'cache.waitFor': (options) => cache.waitFor(0n, bad(options)),
    'cache.synced': (options) => cache.synced(bad(options)),
    ping: (options) => client.ping(bad(options)),
    close: (options) => client.close(bad(options)),
    connect: (options) => connect(etcd.connectOptions, bad(options)),
  };

  it.each(Object.entries(calls))('is refused among the options of %s', async (_, call) => {
    const error = await rejection(() => call({ timeout: 5 }));
    expectRefused(error);
    expect(error).toMatchObject({ issues: [{ path: 'timeout' }] });
  });

  it.each([
    { sucess: [] },
    { compare: [{ key: 'a', target: 'mod', is: '=', to: 0, than: 1 }] },
    { success: [{ put: { key: 'a', value: 'x', lease: 5n } }] },
    { success: [{ put: { key: 'a', value: 'x' }, leaseId: 5n }] },
    { success: [{ get: 'a', limit: 1 }] },
    { success: [{ get: 'a', options: { limits: 1 } }] },
    { failure: [{ delete: { prefix: 'a', end: 'b' } }] },
    { failure: [{ delete: { prefix: 'a', ende: 'b' } }] },
  ])('is refused in a transaction: %o', async (request) => {
    expectRefused(await rejection(() => client.kv.txn(bad(request))));
  });

  it('is refused by watch and cache', () => {
    expectRefused(thrown(() => client.watch('a', bad({ revision: 1n }))));
    const withName = bad<CacheOptions<string>>({ decode: String, snapshot: 'a' });
    expectRefused(thrown(() => client.cache('a', withName)));
  });

  it('is refused at once where there are thousands of them', async () => {
    const error = await rejection(() => client.kv.get('a', bad(new Uint8Array(200_000))));
    expectRefused(error);
    expect(String(error).length).toBeLessThan(10_000);
  });
});

describe('options that cannot be read', () => {
  it('are refused, whatever their name: the call neither hangs nor fails outside of its promise', async () => {
    // The getter is none of a known name: it was looked at only when the call was on its way.
    for (const options of [throwing('key'), throwing('coalesce'), revoked(), hostile()]) {
      expectRefused(await rejection(() => client.kv.get('a', bad(options))));
      expectRefused(await rejection(() => client.kv.put('a', 'x', bad(options))));
    }
  });

  it('are read once: what is used is what was checked', async () => {
    let reads = 0;
    const options = {
      get timeoutMs() {
        reads += 1;
        return reads === 1 ? 5_000 : Number.NaN;
      },
    };
    await client.kv.get('a', options);
    expect(reads).toBe(1);
  });
});

const WAITING: Readonly<Record<string, (options: unknown) => Promise<unknown>>> = {
  'kv.get': (options) => client.kv.get('a', bad(options)),
  'kv.range': (options) => client.kv.range('a', bad(options)),
  'kv.put': (options) => client.kv.put('a', 'x', bad(options)),
  'kv.delete': (options) => client.kv.delete('usable', bad(options)),
  'kv.txn': (options) => client.kv.txn({ success: [{ put: { key: 'a', value: 'x' } }] }, bad(options)),
  session: (options) => client.session(bad(options)),
  'session.keepAlive': (options) => session.keepAlive(bad(options)),
  'session.close': (options) => session.close(bad(options)),
  'cache.waitFor': (options) => cache.waitFor(1n, bad(options)),
  'cache.synced': (options) => cache.synced(bad(options)),
  ping: (options) => client.ping(bad(options)),
  close: (options) => client.close(bad(options)),
  connect: (options) => connect(etcd.connectOptions, bad(options)),
};

describe('options that are none, and times and signals that are none, are refused by', () => {
  it.each(Object.entries(WAITING))('%s', async (_, call) => {
    for (const options of Object.values(WRONG_OPTIONS)) expectRefused(await rejection(() => call(options)));
    for (const timeoutMs of WRONG_MS) expectRefused(await rejection(() => call({ timeoutMs })));
    for (const signal of WRONG_SIGNALS) expectRefused(await rejection(() => call({ signal })));
  });

  it('kv.list', () => {
    const list = (options: unknown) => thrown(() => client.kv.list('a', bad(options)));
    for (const options of Object.values(WRONG_OPTIONS)) expectRefused(list(options));
    for (const timeoutMs of WRONG_MS) expectRefused(list({ timeoutMs }));
    for (const pageSize of [...WRONG_COUNTS, 0]) expectRefused(list({ pageSize }));
    for (const revision of WRONG_REVISIONS) expectRefused(list({ revision }));
    for (const keysOnly of WRONG_FLAGS) expectRefused(list({ keysOnly }));
  });

  it('watch', () => {
    const watch = (options: unknown) => thrown(() => client.watch('a', bad(options)));
    for (const options of Object.values({ ...NOTHING_GOOD, getter: throwing('signal') })) {
      expectRefused(watch(options));
    }
    for (const startRevision of WRONG_REVISIONS) expectRefused(watch({ startRevision }));
    for (const maxBuffered of [...WRONG_COUNTS, 0]) expectRefused(watch({ maxBuffered }));
    for (const previous of WRONG_FLAGS) expectRefused(watch({ previous }));
    for (const name of ['constructor', '', 5, null, ['put'], Symbol('s')]) {
      expectRefused(watch({ ignore: name }));
      expectRefused(watch({ resync: name }));
    }
    for (const signal of WRONG_SIGNALS) expectRefused(watch({ signal }));
  });

  it('cache', () => {
    const make = (options: unknown) => thrown(() => client.cache<unknown>('a', bad(options)));
    for (const options of [undefined, ...Object.values(NOTHING_GOOD), throwing('decode')]) {
      expectRefused(make(options));
    }
    for (const decode of [undefined, null, 'x', {}, Symbol('s')]) expectRefused(make({ decode }));
    const decode = () => 'x';
    for (const snapshotFile of [null, '', 5, '\0', Symbol('s'), {}]) {
      expectRefused(make({ decode, snapshotFile }));
    }
  });
});

describe('numbers that are none are refused by', () => {
  it('reads', async () => {
    const reads = ['revision', 'minModRevision', 'maxModRevision', 'minCreateRevision', 'maxCreateRevision'];
    for (const value of WRONG_REVISIONS) {
      for (const name of reads) {
        const options = bad<object>({ [name]: value });
        expectRefused(await rejection(() => client.kv.range('a', options)));
        expectRefused(await rejection(() => client.kv.txn({ success: [{ get: 'a', options }] })));
      }
      expectRefused(await rejection(() => client.kv.get('a', { revision: bad(value) })));
      expectRefused(await rejection(() => cache.waitFor(bad(value))));
    }
    for (const limit of WRONG_COUNTS) {
      expectRefused(await rejection(() => client.kv.range('a', { limit: bad(limit) })));
    }
    for (const sort of [null, 'key', {}, { by: 'toString', order: 'ascend' }, { by: 'key', order: null }]) {
      expectRefused(await rejection(() => client.kv.range('a', { sort: bad(sort) })));
    }
    for (const flag of WRONG_FLAGS) {
      for (const name of ['serializable', 'keysOnly', 'countOnly', 'coalesce', 'idempotent']) {
        expectRefused(await rejection(() => client.kv.range('a', bad({ [name]: flag }))));
      }
    }
  });

  it('writes', async () => {
    for (const value of WRONG_REVISIONS) {
      expectRefused(await rejection(() => client.kv.put('a', 'x', { leaseId: bad(value) })));
      const compare = [{ key: 'a', target: 'lease', is: '=', to: bad<bigint>(value) }] as const;
      expectRefused(await rejection(() => client.kv.txn({ compare })));
    }
    for (const flag of WRONG_FLAGS) {
      for (const name of ['previous', 'ignoreValue', 'ignoreLease', 'coalesce', 'idempotent']) {
        expectRefused(await rejection(() => client.kv.put('a', 'x', bad({ [name]: flag }))));
      }
      expectRefused(await rejection(() => client.kv.delete('usable', { previous: bad(flag) })));
      const op = bad<Op>({ delete: 'usable', previous: flag });
      expectRefused(await rejection(() => client.kv.txn({ success: [op] })));
    }
    const { assertAlive } = session;
    for (const fake of [null, 5, {}, { assertAlive }, { assertAlive: () => {} }, throwing('assertAlive')]) {
      expectRefused(await rejection(() => client.kv.put('a', 'x', { session: bad(fake) })));
    }
    for (const exclusive of [null, 'a', {}, [null], new Array(1), throwing('0')]) {
      expectRefused(await rejection(() => client.kv.put('a', 'x', { exclusive: bad(exclusive) })));
    }
  });

  it('session', async () => {
    for (const ttlMs of WRONG_MS) expectRefused(await rejection(() => client.session({ ttlMs: bad(ttlMs) })));
  });
});

describe('options of a client that are none', () => {
  const wrong: readonly unknown[] = [
    ...Object.values(NOTHING_GOOD),
    'localhost:2379',
    throwing('endpoints'),
    ...[
      null,
      'a:1',
      [],
      [null],
      ['a'],
      ['a:0'],
      ['a:99999'],
      ['[::1'],
      ['a b:1'],
      ['ftp://a:1'],
      ['http://a:1/x'],
    ].map((endpoints) => ({ endpoints })),
    { endpoints: [Symbol('s')] },
    { endpoints: new Array(1) },
    ...[null, 5, '\ud800', {}, Symbol('s')].map((namespace) => ({ namespace })),
    ...WRONG_MS.flatMap((ms) => [
      ...(ms === null ? [] : [{ dialTimeoutMs: ms }, { requestTimeoutMs: ms }]),
      ...(ms === null ? [] : [{ keepAliveTimeMs: ms }, { keepAliveTimeoutMs: ms }]),
      ...(ms === null ? [] : [{ retry: { initialDelayMs: ms } }, { retry: { maxDelayMs: ms } }]),
    ]),
    ...[Number.NaN, Infinity, -1, 0, 1.5, '2', {}].map((maxAttempts) => ({ retry: { maxAttempts } })),
    ...[Number.NaN, Infinity, 0.5, '2', {}].map((multiplier) => ({ retry: { multiplier } })),
    ...[null, 5, [], 'x', hostile()].map((retry) => ({ retry })),
    ...[null, 5, [], 'x', hostile()].map((tls) => ({ tls })),
    ...[null, 5, '', [], Symbol('s')].map((caFile) => ({ tls: { caFile } })),
    ...[null, 5, [], {}].map((ca) => ({ tls: { ca } })),
    ...[null, 5, ''].map((serverName) => ({ tls: { serverName } })),
    { username: 'root' },
    { password: 'x' },
    ...[null, 5, '', [], Symbol('s'), '\ud800'].map((username) => ({ username, password: 'x' })),
    ...[null, 5, {}, { error: 5 }, 'console', hostile()].map((logger) => ({ logger })),
    ...[null, 5, 'verbose', 'constructor', Symbol('s')].map((logLevel) => ({ logLevel })),
  ];

  it('are refused by createClient and by connect', async () => {
    for (const options of wrong) {
      expectRefused(thrown(() => createClient(bad(options))));
      expectRefused(await rejection(() => connect(bad(options))));
    }
  });
});
