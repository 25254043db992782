import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CoordClient, connect, type Key, type Range } from '../src/index.js';

const NAMESPACE = '/tenant/';
/** Beside the namespace, its neighbours in the order of keys, and both ends of the store. */
const OUTSIDE = ['\0', '/', '/tenant', '/tenant.', '/tenant0', '/tenant0/a', '/tenant/'.slice(1), 'a', 'zzz'];
const BEYOND = Buffer.of(0xff, 0xff);

/** Every way to say "all that there is", or "from here on". */
const OPEN: [string, Range][] = [
  ['an empty prefix', { prefix: '' }],
  ['everything', { start: '\0', end: '\0' }],
  ['from a key on', { start: 'a', end: '\0' }],
  ['to the highest bytes', { start: '\0', end: BEYOND }],
];
/** What would lead out of a file system, or of a carelessly joined key. */
const KEYS: Key[] = ['\0', '..', '../a', '/', '/tenant', '0', '\u{10ffff}', BEYOND, Buffer.of(0)];

let etcd: EtcdServer;
/** Sees the whole store. */
let raw: CoordClient;
let tenant: CoordClient;

beforeAll(async () => {
  etcd = await startEtcd();
  raw = await connect(etcd.connectOptions);
  tenant = await connect({ ...etcd.connectOptions, namespace: NAMESPACE });
  for (const key of OUTSIDE) await raw.kv.put(key, 'outside');
  await raw.kv.put(BEYOND, 'outside');
});
afterAll(async () => {
  await Promise.all([raw?.close(), tenant?.close()]);
  await etcd?.stop();
});

/** Each key of the store with the revision of its last change and its lease, split by where it is. */
async function store(): Promise<{ inside: string[]; outside: string[] }> {
  const { kvs } = await raw.kv.range({ prefix: '' });
  const [inside, outside]: [string[], string[]] = [[], []];
  for (const kv of kvs) {
    const name = Buffer.from(kv.rawKey).toString('latin1');
    if (name.startsWith(NAMESPACE)) inside.push(name);
    else outside.push(`${name}@${kv.modRevision}#${kv.version}+${kv.leaseId ?? 0n}`);
  }
  return { inside, outside };
}

let before: string[];
/** When what a test finds inside began: three writes. */
let since: bigint;
beforeEach(async () => {
  since = (await raw.kv.delete({ prefix: NAMESPACE })).revision + 1n;
  for (const key of ['a', 'b', 'c']) await raw.kv.put(`${NAMESPACE}${key}`, 'inside');
  before = (await store()).outside;
  expect(before).toHaveLength(OUTSIDE.length + 1);
});
/** The promise: whatever a test did, the rest of the store is as it was, to the revision. */
afterEach(async () => {
  expect((await store()).outside).toEqual(before);
});

describe('a client with a namespace', () => {
  it.each(OPEN)('reads nothing outside of it: %s', async (_, range) => {
    const keys = async (client: CoordClient) => (await client.kv.range(range)).kvs.map(({ key }) => key);
    expect(await keys(tenant)).toEqual(['a', 'b', 'c']);
    expect((await keys(raw)).length).toBeGreaterThan(3); // the same range means more to others
    expect(await tenant.kv.range(range, { countOnly: true })).toMatchObject({ count: 3 });
    expect(await tenant.kv.range(range, { sort: { by: 'key', order: 'descend' }, limit: 1 })).toMatchObject({
      kvs: [{ key: 'c' }],
    });
    const listed: string[] = [];
    for await (const { key } of tenant.kv.list(range, { pageSize: 2 })) listed.push(key);
    expect(listed).toEqual(['a', 'b', 'c']);
    expect(await tenant.kv.txn({ success: [{ get: range }] })).toMatchObject({ responses: [{ count: 3 }] });
    for (const key of KEYS) expect(await tenant.kv.get(key)).toBeUndefined();
  });

  it('writes every odd key inside, shared requests included', async () => {
    await Promise.all(KEYS.slice(0, -1).map((key) => tenant.kv.put(key, 'odd'))); // the last is the first again
    const { inside } = await store();
    expect(inside).toHaveLength(3 + KEYS.length - 1);
    for (const key of KEYS) expect((await tenant.kv.get(key))?.text()).toBe('odd');
    await Promise.all(KEYS.map((key) => tenant.kv.delete(key)));
    expect((await store()).inside).toEqual(['a', 'b', 'c'].map((key) => `${NAMESPACE}${key}`));
  });

  it.each(OPEN)('deletes nothing outside of it: %s', async (_, range) => {
    const { deleted, previous } = await tenant.kv.delete(range, { previous: true });
    expect(deleted).toBe(3);
    expect(previous?.map(({ key }) => key)).toEqual(['a', 'b', 'c']);
    expect((await store()).inside).toEqual([]);
  });

  it.each(OPEN)('compares and changes nothing outside of it in a transaction: %s', async (_, range) => {
    // Holds for the keys inside alone.
    const inside = { key: range, target: 'value', is: '=', to: 'inside' } as const;
    const nested = { compare: [inside], success: [{ delete: range, previous: true }] };
    const result = await tenant.kv.txn({
      compare: [inside],
      success: [{ put: { key: '../x', value: 'new' } }, { get: range }, { txn: { success: [{ get: 'a' }] } }],
      failure: [{ delete: range }],
    });
    expect(result.succeeded).toBe(true);
    expect(await raw.kv.txn({ compare: [inside] })).toMatchObject({ succeeded: false });
    expect((await raw.kv.get(`${NAMESPACE}../x`))?.text()).toBe('new');
    await tenant.kv.delete('../x');
    const emptied = await tenant.kv.txn({ success: [{ txn: nested }] });
    expect(emptied.responses).toMatchObject([{ succeeded: true, responses: [{ deleted: 3 }] }]);
    // Of nothing, a version is 0: what is outside does not count as there.
    const none = { key: range, target: 'version', is: '=', to: 0 } as const;
    expect(await tenant.kv.txn({ compare: [none] })).toMatchObject({ succeeded: true });
    expect((await store()).inside).toEqual([]);
  });

  it.each(OPEN)('watches nothing outside of it: %s', async (_, range) => {
    await raw.kv.put('/tenantz', 'past'); // the history holds both sides, too
    const watches = [tenant.watch(range), tenant.watch(range, { startRevision: since })];
    await Promise.all(watches.map(({ ready }) => ready));
    await raw.kv.txn({
      success: [
        { put: { key: `${NAMESPACE}b`, value: 'both' } },
        { put: { key: '/tenantz', value: 'both' } },
        { put: { key: '/b', value: 'both' } },
      ],
    });
    await raw.kv.delete('/tenantz');
    await raw.kv.delete('/b');
    const { revision } = await raw.kv.delete(`${NAMESPACE}c`);
    const seen = await Promise.all(
      watches.map(async (watch) => {
        const events: string[] = [];
        for await (const batch of watch) {
          events.push(...batch.events.map(({ type, key }) => `${type} ${key}`));
          if (batch.revision === revision) break;
        }
        return events;
      }),
    );
    const now = ['put b', 'delete c'];
    expect(seen).toEqual([now, ['put a', 'put b', 'put c', ...now]]);
  });

  it.each(OPEN)('caches nothing outside of it: %s', async (_, range) => {
    await using cache = tenant.cache(range, { decode: (kv) => kv.text() });
    await cache.ready;
    await cache.waitFor(since + 2n); // it may be the one of the test before, and behind
    expect([...cache.entries().keys()]).toEqual(['a', 'b', 'c']);
    expect(cache.get('../tenant0')).toBeUndefined();
    await raw.kv.put('/tenant~', 'outside');
    await raw.kv.delete('/tenant~');
    const { revision } = await tenant.kv.put('b', 'new');
    await cache.waitFor(revision);
    expect([...cache.entries()]).toEqual([
      ['a', 'inside'],
      ['b', 'new'],
      ['c', 'inside'],
    ]);
  });

  it('binds only keys inside of it to its sessions, and takes only those away with them', async () => {
    const session = await tenant.session({ ttlMs: 60_000 });
    for (const key of ['held', '/tenant0', '\0']) await tenant.kv.put(key, 'x', { session });
    const { inside } = await store();
    expect(inside).toHaveLength(6);
    expect((await store()).outside).toEqual(before); // no lease on any of them
    await session.close();
    await eventually(async () => expect((await store()).inside).toHaveLength(3));
  });
});
