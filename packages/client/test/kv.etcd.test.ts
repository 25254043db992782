import { eventually } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import {
  AbortedError,
  CompactedError,
  type CoordClient,
  connect,
  createClient,
  NotFoundError,
  type Range,
  ResourceExhaustedError,
  SessionLostError,
  TimeoutError,
  ValidationError,
} from '../src/index.js';
import { failure } from './failure.js';
import { farOfEachTest } from './far.js';
import { oneEtcd } from './one-etcd.js';

const { etcd, client } = await oneEtcd();
const far = farOfEachTest(etcd);

async function keysOf(range: Range, from = client): Promise<string[]> {
  return (await from.kv.range(range)).kvs.map(({ key }) => key);
}

describe('put, get, range, delete', () => {
  it('gives back what was put, with its place in history', async () => {
    const put = await client.kv.put('/kv/a', 'one');
    expect(put.previous).toBeUndefined();
    const again = await client.kv.put('/kv/a', 'two', { previous: true });
    expect(again.previous?.text()).toBe('one');
    const kv = await client.kv.get('/kv/a');
    expect(kv?.text()).toBe('two');
    expect(kv).toMatchObject({
      key: '/kv/a',
      version: 2,
      createRevision: put.revision,
      modRevision: again.revision,
      leaseId: 0n,
    });
    expect(JSON.parse(JSON.stringify(kv))).toMatchObject({ modRevision: again.revision.toString() });
    expect((await client.kv.get('/kv/a', { revision: put.revision }))?.text()).toBe('one');
    expect((await client.kv.get('/kv/a', { keysOnly: true, serializable: true }))?.value).toHaveLength(0);
    expect(await client.kv.get('/kv/absent')).toBeUndefined();
    const deleted = await client.kv.delete('/kv/a', { previous: true });
    expect(deleted).toMatchObject({ deleted: 1, previous: [{ version: 2 }] });
    expect(await client.kv.delete('/kv/a')).toMatchObject({ deleted: 0 });
  });

  it('ranges take every option', async () => {
    const revisions: bigint[] = [];
    for (const [key, value] of [
      ['c', '1'],
      ['a', '3'],
      ['b', '2'],
    ] as const) {
      revisions.push((await client.kv.put(`/range/${key}`, value)).revision);
    }
    const [first = 0n, , third = 0n] = revisions;
    const names = async (options: Parameters<typeof client.kv.range>[1]) =>
      (await client.kv.range({ prefix: '/range/' }, options)).kvs.map(({ key }) => key.slice(-1)).join('');
    expect(await names({})).toBe('abc');
    expect(await names({ sort: { by: 'mod', order: 'ascend' } })).toBe('cab');
    expect(await names({ sort: { by: 'value', order: 'descend' } })).toBe('abc');
    expect(await names({ sort: { by: 'key', order: 'descend' } })).toBe('cba');
    expect(await names({ minModRevision: third })).toBe('b');
    expect(await names({ maxModRevision: first })).toBe('c');
    expect(await names({ minCreateRevision: third, maxCreateRevision: third })).toBe('b');
    expect(await names({ revision: first })).toBe('c');
    expect(await client.kv.range({ prefix: '/range/' }, { limit: 2 })).toMatchObject({
      count: 3,
      more: true,
    });
    expect(await client.kv.range({ prefix: '/range/' }, { countOnly: true })).toMatchObject({
      count: 3,
      kvs: [],
    });
    expect(await keysOf({ start: '/range/a', end: '/range/c' })).toEqual(['/range/a', '/range/b']);
  });

  it('keeps keys and values that are not UTF-8', async () => {
    const keys = [Buffer.from('2f62696e2fff', 'hex'), Buffer.from('2f62696e2ffe', 'hex')];
    for (const key of keys) await client.kv.put(key, Uint8Array.of(0, 255, 128));
    const { kvs } = await client.kv.range({ prefix: '/bin/' });
    expect(kvs.map(({ rawKey }) => Buffer.from(rawKey).toString('hex'))).toEqual([
      '2f62696e2ffe',
      '2f62696e2fff',
    ]);
    expect([...(kvs[0]?.value ?? [])]).toEqual([0, 255, 128]);
    expect(await client.kv.delete({ prefix: Buffer.from('2f62696e2fff', 'hex') })).toMatchObject({
      deleted: 1,
    });
  });

  it('puts on leases with ids beyond 2^53, and refuses a dead one', async () => {
    const session = await client.session({ ttlMs: 30_000 });
    await client.kv.put('/lease/a', '1', { session });
    await client.kv.put('/lease/b', '1', { leaseId: session.leaseId });
    expect((await client.kv.get('/lease/b'))?.leaseId).toBe(session.leaseId);
    await client.kv.put('/lease/a', '2', { ignoreLease: true });
    await client.kv.put('/lease/a', '', { session, ignoreValue: true });
    const kv = await client.kv.get('/lease/a');
    expect([kv?.text(), kv?.leaseId]).toEqual(['2', session.leaseId]);
    await session.close();
    expect(await keysOf({ prefix: '/lease/' })).toEqual([]);
    expect(await failure(client.kv.put('/lease/c', '', { session }))).toBeInstanceOf(SessionLostError);
    const dead = await failure(client.kv.put('/lease/c', '', { leaseId: session.leaseId }));
    expect(dead).toBeInstanceOf(NotFoundError);
    expect(await keysOf({ prefix: '/lease/' })).toEqual([]);
  });

  it('a request that is too large is refused as such', async () => {
    // The first is refused by etcd's own limit (1.5 MiB), the second by that of its gRPC server.
    for (const bytes of [1_700_000, 3_000_000]) {
      const error = await failure(client.kv.put('/large', Buffer.alloc(bytes)));
      expect(error).toBeInstanceOf(ResourceExhaustedError);
      expect(error).toMatchObject({ outcome: 'not-applied' });
    }
  });

  it('a compacted revision is a CompactedError', async () => {
    const { revision } = await client.kv.put('/compacted', '1');
    const { revision: newest } = await client.kv.put('/compacted', '2');
    await client.etcd3.kv.compact({ revision: newest.toString() });
    expect(await failure(client.kv.get('/compacted', { revision }))).toBeInstanceOf(CompactedError);
  });
});

describe('a namespace', () => {
  it('holds every read, write and range in', async () => {
    const inner = await connect({ ...etcd.connectOptions, namespace: '/ns1/' });
    for (const key of ['/ns0/a', '/ns1/a', '/ns1/b', '/ns10', '/ns2/a']) await client.kv.put(key, key);
    await inner.kv.put('c', 'in');
    expect((await client.kv.get('/ns1/c'))?.text()).toBe('in');
    expect(await keysOf({ prefix: '' }, inner)).toEqual(['a', 'b', 'c']);
    expect(await keysOf({ start: 'b', end: '\0' }, inner)).toEqual(['b', 'c']);
    expect(await keysOf({ start: '\0', end: '\0' }, inner)).toEqual(['a', 'b', 'c']);
    expect(await keysOf({ prefix: Uint8Array.of(255) }, inner)).toEqual([]);
    expect(await keysOf({ start: 'a', end: Uint8Array.of(255, 255) }, inner)).toEqual(['a', 'b', 'c']);
    const listed: string[] = [];
    for await (const { key } of inner.kv.list({ prefix: '' }, { pageSize: 1 })) listed.push(key);
    expect(listed).toEqual(['a', 'b', 'c']);
    const txn = await inner.kv.txn({
      compare: [{ key: { prefix: '' }, target: 'create', is: '>', to: 0 }],
      success: [{ get: { prefix: '' } }, { delete: { start: 'b', end: '\0' } }],
    });
    expect(txn).toMatchObject({ succeeded: true, responses: [{ count: 3 }, { deleted: 2 }] });
    expect(await inner.kv.delete({ prefix: '' })).toMatchObject({ deleted: 1 });
    expect(await keysOf({ prefix: '/ns' })).toEqual(['/ns0/a', '/ns10', '/ns2/a']);
    await inner.close();
  });
});

describe('list', () => {
  it('is one revision, over pages, while others write', async () => {
    const all = Array.from({ length: 25 }, (_, i) => `/list/${String(i).padStart(3, '0')}`);
    for (const key of all) await client.kv.put(key, 'old');
    for (const revision of [undefined, 0n]) {
      const seen: string[] = [];
      for await (const kv of client.kv.list({ prefix: '/list/' }, { pageSize: 4, revision })) {
        seen.push(`${kv.key}=${kv.text()}`);
        await client.kv.put(`/list/${String(seen.length + 3).padStart(3, '0')}x`, 'new');
        await client.kv.put('/list/024', 'new');
      }
      expect(seen).toEqual(all.map((key) => `${key}=old`));
      for (const key of await keysOf({ prefix: '/list/' }))
        if (key.endsWith('x')) await client.kv.delete(key);
      await client.kv.put('/list/024', 'old');
    }
  });

  it('reads more than 4 MiB', async () => {
    for (let i = 0; i < 6; i++) await client.kv.put(`/list-large/${i}`, Buffer.alloc(1_000_000, i));
    const { kvs } = await client.kv.range({ prefix: '/list-large/' });
    expect(kvs.map(({ value }) => value.length)).toEqual(Array.from({ length: 6 }, () => 1_000_000));
    await client.kv.delete({ prefix: '/list-large/' });
  });
});

describe('txn', () => {
  it('runs all operations, nested too, and answers each', async () => {
    await client.kv.put('/txn/a', '1');
    const result = await client.kv.txn({
      compare: [{ key: '/txn/a', target: 'value', is: '=', to: '1' }],
      success: [
        { get: { prefix: '/txn/' }, options: { keysOnly: true, limit: 1 } },
        { put: { key: '/txn/b', value: 'x', previous: true } },
        { delete: '/txn/a', previous: true },
        {
          txn: {
            compare: [{ key: '/txn/none', target: 'version', is: '>', to: 0 }],
            failure: [{ put: { key: '/txn/c', value: 'y' } }],
          },
        },
      ],
      failure: [{ get: '/txn/a' }],
    });
    expect(result.succeeded).toBe(true);
    expect(result.responses).toMatchObject([
      { type: 'get', count: 1 },
      { type: 'put', revision: result.revision },
      { type: 'delete', deleted: 1, previous: [{ key: '/txn/a' }] },
      { type: 'txn', succeeded: false, responses: [{ type: 'put' }] },
    ]);
    expect(await keysOf({ prefix: '/txn/' })).toEqual(['/txn/b', '/txn/c']);
    const failed = await client.kv.txn({
      compare: [{ key: '/txn/b', target: 'mod', is: '<', to: result.revision }],
      success: [{ delete: '/txn/b' }],
      failure: [{ get: '/txn/b' }],
    });
    expect(failed).toMatchObject({ succeeded: false, responses: [{ type: 'get', count: 1 }] });
  });

  it('compares ranges, leases, revisions and versions', async () => {
    const session = await client.session({ ttlMs: 30_000 });
    const { revision } = await client.kv.put('/cmp/a', '1', { session });
    await client.kv.put('/cmp/b', '2');
    const holds = async (...compare: NonNullable<Parameters<typeof client.kv.txn>[0]['compare']>) =>
      (await client.kv.txn({ compare })).succeeded;
    expect(await holds({ key: '/cmp/a', target: 'lease', is: '=', to: session.leaseId })).toBe(true);
    expect(await holds({ key: '/cmp/a', target: 'lease', is: '=', to: session.leaseId - 1n })).toBe(false);
    expect(await holds({ key: '/cmp/a', target: 'create', is: '=', to: revision })).toBe(true);
    expect(await holds({ key: '/cmp/a', target: 'version', is: '!=', to: 1 })).toBe(false);
    expect(await holds({ key: { prefix: '/cmp/' }, target: 'mod', is: '>', to: revision - 1n })).toBe(true);
    expect(await holds({ key: { prefix: '/cmp/' }, target: 'mod', is: '>', to: revision })).toBe(false);
    expect(await holds({ key: '/cmp/b', target: 'value', is: '>', to: Uint8Array.of(0) })).toBe(true);
    await session.close();
  });
});

describe('bad input', () => {
  const bad = <T>(value: unknown): T => value as T;
  it.each<[string, (kv: CoordClient['kv']) => Promise<unknown>]>([
    ['an empty key', (kv) => kv.put('', 'x')],
    ['a lone surrogate in a key', (kv) => kv.put('/bad/\ud800', 'x')],
    ['a lone surrogate in a value', (kv) => kv.put('/bad/a', '\udfff')],
    ['a number as key', (kv) => kv.put(bad(5), 'x')],
    ['a number as value', (kv) => kv.put('/bad/a', bad(5))],
    ['no value', (kv) => kv.put('/bad/a', bad(undefined))],
    ['null as options', (kv) => kv.put('/bad/a', 'x', bad(null))],
    ['a negative timeout', (kv) => kv.put('/bad/a', 'x', { timeoutMs: -1 })],
    ['a timeout beyond the timer', (kv) => kv.put('/bad/a', 'x', { timeoutMs: 2 ** 31 })],
    ['a signal that is none', (kv) => kv.put('/bad/a', 'x', { signal: bad({ aborted: false }) })],
    ['a session that is none', (kv) => kv.put('/bad/a', 'x', { session: bad({}) })],
    ['a lease id that is no integer', (kv) => kv.put('/bad/a', 'x', { leaseId: bad(1.5) })],
    ['a lease id beyond int64', (kv) => kv.put('/bad/a', 'x', { leaseId: 2n ** 63n })],
    ['a negative revision', (kv) => kv.get('/bad/a', { revision: -1n })],
    ['a huge number as revision', (kv) => kv.get('/bad/a', { revision: bad(2 ** 60) })],
    ['a range that is null', (kv) => kv.delete(bad(null))],
    ['a range without end', (kv) => kv.delete(bad({ start: 'a' }))],
    ['an end before the start', (kv) => kv.delete({ start: 'b', end: 'a' })],
    ['an unknown sort', (kv) => kv.range('/bad/a', { sort: bad({ by: 'constructor', order: 'ascend' }) })],
    ['a negative limit', (kv) => kv.range('/bad/a', { limit: -1 })],
    ['an array as options', (kv) => kv.put('/bad/a', 'x', bad([]))],
    ['a txn that is null', (kv) => kv.txn(bad(null))],
    ['a txn that is an array', (kv) => kv.txn(bad([]))],
    ['operations that are no array', (kv) => kv.txn({ success: bad({}) })],
    ['an operation that is null', (kv) => kv.txn({ success: [bad(null)] })],
    ['an unknown operation', (kv) => kv.txn({ success: [bad({ move: 'a' })] })],
    [
      'an unknown operator',
      (kv) => kv.txn({ compare: [{ key: 'a', target: 'mod', is: bad('constructor'), to: 0 }] }),
    ],
    [
      'an unknown target',
      (kv) => kv.txn({ compare: [{ key: 'a', target: bad<'mod'>('toString'), is: '=', to: 0 }] }),
    ],
    [
      'a bad one among good ones',
      (kv) => kv.txn({ success: [{ put: { key: '/bad/a', value: 'x' } }, { put: { key: '', value: 'x' } }] }),
    ],
  ])('%s is a ValidationError, and nothing is written', async (_, call) => {
    const before = (await client.kv.range('/bad/none')).revision;
    const error = await failure(call(client.kv));
    expect(error).toBeInstanceOf(ValidationError);
    expect(error).toMatchObject({ outcome: 'not-applied', code: 'COORD_VALIDATION' });
    expect((await client.kv.range('/bad/none')).revision).toBe(before);
  });

  it('list throws for a bad page size', () => {
    expect(() => client.kv.list('a', { pageSize: 0 })).toThrow(ValidationError);
  });
});

describe('lost responses and outages', () => {
  it('a put whose answer is lost says so, and is applied at most once', async () => {
    far.proxy.blackhole('toClient');
    const error = await failure(far.client.kv.put('/lost/a', 'x', { timeoutMs: 400 }));
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ outcome: 'unknown', timeoutMs: 400 });
    expect(await client.kv.get('/lost/a')).toMatchObject({ version: 1 });
    far.proxy.heal();
    await far.client.kv.get('/lost/a');
    expect(await client.kv.get('/lost/a')).toMatchObject({ version: 1 });
  });

  it('a put on a connection that breaks is not repeated; an idempotent one is', async () => {
    far.proxy.blackhole('toClient');
    const pending = failure(far.client.kv.put('/lost/b', 'x'));
    await eventually(async () => expect(await client.kv.get('/lost/b')).toBeDefined());
    far.proxy.cut();
    far.proxy.heal();
    expect(await pending).toMatchObject({ name: 'ConnectionError', outcome: 'unknown' });
    expect(await client.kv.get('/lost/b')).toMatchObject({ version: 1 });

    await far.client.kv.get('/lost/b');
    far.proxy.blackhole('toClient');
    const repeated = far.client.kv.put('/lost/c', 'x', { idempotent: true });
    await eventually(async () => expect(await client.kv.get('/lost/c')).toBeDefined());
    far.proxy.cut();
    far.proxy.heal();
    await repeated;
  });

  it('an unknown outcome stays unknown when a later attempt is refused for certain', async () => {
    const retry = { maxAttempts: 3, initialDelayMs: 50 };
    const own = await connect({ endpoints: [far.proxy.endpoint], retry });
    far.proxy.blackhole('toClient');
    const pending = failure(own.kv.put('/lost/d', 'x', { idempotent: true }));
    await eventually(async () => expect(await client.kv.get('/lost/d')).toBeDefined());
    await far.proxy.refuse();
    far.proxy.cut();
    expect(await pending).toMatchObject({ name: 'ConnectionError', outcome: 'unknown' });
    await far.proxy.accept();
    await own.close();
  });

  it('a put that was never sent says so', async () => {
    await far.proxy.refuse();
    far.proxy.cut();
    const own = createClient({ endpoints: [far.proxy.endpoint], requestTimeoutMs: 300 });
    expect(await failure(own.kv.put('/lost/e', 'x'))).toMatchObject({
      name: 'ConnectionError',
      outcome: 'not-applied',
    });
    await own.close();
    await far.proxy.accept();
  });

  it('reads go on over cut connections', async () => {
    await client.kv.put('/reads/a', 'x');
    for (let i = 0; i < 5; i++) {
      far.proxy.blackhole('toClient');
      const pending = far.client.kv.get('/reads/a');
      await eventually(() => far.proxy.connections > 0);
      far.proxy.cut();
      far.proxy.heal();
      expect((await pending)?.text()).toBe('x');
    }
  });

  it('aborting rejects at once: unknown for a write on its way, not applied for a read', async () => {
    far.proxy.blackhole();
    const controller = new AbortController();
    const { signal } = controller;
    const calls = [
      far.client.kv.put('/abort/a', 'x', { signal }),
      far.client.kv.get('/abort/a', { signal }),
    ].map(failure);
    // Both are on their way once another call, begun after them, has timed out.
    expect(await failure(far.client.kv.get('/abort/b', { timeoutMs: 200 }))).toBeInstanceOf(TimeoutError);
    const reason = new Error('changed my mind');
    controller.abort(reason);
    const errors = await Promise.all(calls);
    expect(errors).toMatchObject([
      { name: 'AbortedError', outcome: 'unknown', cause: reason },
      { name: 'AbortedError', outcome: 'not-applied', cause: reason },
    ]);
  });

  it('aborting in the tick of the call is heard', async () => {
    far.proxy.blackhole();
    const controller = new AbortController();
    const pending = failure(far.client.kv.put('/abort/c', 'x', { signal: controller.signal }));
    controller.abort();
    expect(await pending).toMatchObject({ name: 'AbortedError', outcome: 'not-applied' });
    expect(await failure(far.client.kv.get('a', { signal: AbortSignal.abort() }))).toBeInstanceOf(
      AbortedError,
    );
    far.proxy.heal();
    await far.client.ping();
    expect(await client.kv.get('/abort/c')).toBeUndefined();
  });

  it('aborting ends a retry pause', async () => {
    await far.proxy.refuse();
    far.proxy.cut();
    const own = createClient({ endpoints: [far.proxy.endpoint], retry: { initialDelayMs: 4_500 } });
    const controller = new AbortController();
    const pending = failure(own.kv.get('a', { signal: controller.signal }));
    await eventually(() => own.health.state === 'degraded');
    const startedAt = performance.now();
    controller.abort();
    expect(await pending).toBeInstanceOf(AbortedError);
    expect(performance.now() - startedAt).toBeLessThan(500);
    await own.close();
    await far.proxy.accept();
  });
});
