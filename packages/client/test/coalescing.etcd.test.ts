import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CallOptions, type CoordClient, connect, type KV, type WriteOptions } from '../src/index.js';
import { countRpcs } from './rpc-count.js';

let etcd: EtcdServer;
let client: CoordClient;
let kv: KV;

beforeAll(async () => {
  etcd = await startEtcd();
  client = await connect(etcd.connectOptions);
  kv = client.kv;
});
beforeEach(async () => {
  await kv.delete({ prefix: '/' });
});
afterAll(async () => {
  await client?.close();
  await etcd?.stop();
});

/** Enough calls to take every slot, so that those made in the same turn go together. */
function crowd(): Promise<unknown> {
  const calls = [0, 1, 2, 3];
  return Promise.all([
    ...calls.map((i) => kv.delete(`/crowd/${i}`)),
    ...calls.map((i) => kv.delete(`/crowd/again/${i}`, { idempotent: true })),
    ...calls.map((i) => kv.get(`/crowd/read/${i}`)),
    ...calls.map((i) => kv.get(`/crowd/read/${i}`, { serializable: true })),
  ]);
}

/** Runs the calls at the same time as a crowd, which changes nothing. */
async function together<T extends readonly unknown[]>(
  run: () => { [K in keyof T]: Promise<T[K]> },
): Promise<T> {
  const crowded = crowd();
  const answers = Promise.all(run());
  await crowded;
  return answers;
}

const settled = (calls: readonly Promise<unknown>[]) =>
  Promise.all(
    calls.map((call) =>
      call.then(
        () => 'done',
        (error: Error) => error.name,
      ),
    ),
  );

describe('many calls at once', () => {
  it('cost a few requests, and each gets its own answer', async () => {
    const n = 500;
    const index = Array.from({ length: n }, (_, i) => i);
    const puts = await countRpcs(etcd.endpoint, async () => {
      await Promise.all(index.map((i) => kv.put(`/many/${i}`, `v${i}`)));
    });
    expect(puts.Put + puts.Txn).toBeLessThan(12);
    const gets = await countRpcs(etcd.endpoint, async () => {
      const kvs = await Promise.all(index.map((i) => kv.get(`/many/${i}`)));
      expect(kvs.map((each) => each?.text())).toEqual(index.map((i) => `v${i}`));
    });
    expect(gets.Range + gets.Txn).toBeLessThan(12);
    const cas = await countRpcs(etcd.endpoint, async () => {
      const results = await Promise.all(
        index.map((i) =>
          kv.txn({
            compare: [{ key: `/many/${i}`, target: 'value', is: '=', to: i % 2 ? `v${i}` : 'other' }],
            success: [{ put: { key: `/many/${i}`, value: 'new' } }, { get: `/many/${i}` }],
            failure: [{ get: `/many/${i}` }],
          }),
        ),
      );
      expect(results.map(({ succeeded }) => succeeded)).toEqual(index.map((i) => i % 2 === 1));
      const values = results.map(({ responses }) => {
        const last = responses.at(-1);
        return last?.type === 'get' ? last.kvs[0]?.text() : undefined;
      });
      expect(values).toEqual(index.map((i) => (i % 2 ? 'new' : `v${i}`)));
    });
    expect(cas.Txn).toBeLessThan(20);
  });

  it('those of one turn of the event loop share a request, also when nothing is under way', async () => {
    const rpcs = await countRpcs(etcd.endpoint, async () => {
      await Promise.all(Array.from({ length: 10 }, (_, i) => kv.get(`/turn/${i}`)));
      await Promise.all(Array.from({ length: 10 }, (_, i) => kv.put(`/turn/${i}`, '')));
    });
    expect(rpcs).toEqual({ Put: 0, Range: 0, DeleteRange: 0, Txn: 2 });
  });

  it('a call by itself is the plain request, and so is one that opts out', async () => {
    const rpcs = await countRpcs(etcd.endpoint, async () => {
      await kv.put('/plain', '');
      await kv.get('/plain');
      await kv.delete('/plain');
      await Promise.all(Array.from({ length: 20 }, (_, i) => kv.put(`/plain/${i}`, '', { coalesce: false })));
      await Promise.all(Array.from({ length: 20 }, (_, i) => kv.get(`/plain/${i}`, { coalesce: false })));
    });
    expect(rpcs).toEqual({ Put: 21, Range: 21, DeleteRange: 1, Txn: 0 });
  });

  it('reads without conditions cost no entry in the log of etcd', async () => {
    const raftIndex = async () => (await client.etcd3.maintenance.status()).raftIndex;
    await kv.put('/r/a', '1');
    const before = await raftIndex();
    await Promise.all(
      Array.from({ length: 300 }, (_, i) =>
        i % 3
          ? kv.range({ prefix: '/r/' })
          : kv.txn({ success: [{ get: '/r/a' }, { get: { prefix: '/' } }] }),
      ),
    );
    expect(await raftIndex()).toBe(before);
  });
});

describe('the answer in a batch is that of a call by itself', () => {
  const without = ['revision', 'createRevision', 'modRevision'];
  const plain = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value, (name, field) =>
        without.includes(name) ? undefined : typeof field === 'bigint' ? field.toString() : field,
      ) ?? 'null',
    );

  async function seed(): Promise<void> {
    await kv.delete({ prefix: '/' });
    for (const [key, value] of Object.entries({ a: '3', b: '1', c: '2', d: '4' }))
      await kv.put(`/s/${key}`, value);
    await kv.put('/s/a', '5');
  }

  const reads: Record<string, (options: CallOptions) => Promise<unknown>> = {
    get: (o) => kv.get('/s/a', o),
    'get of none': (o) => kv.get('/s/none', o),
    'keys only': (o) => kv.get('/s/a', { ...o, keysOnly: true }),
    range: (o) => kv.range({ prefix: '/s/' }, o),
    limit: (o) => kv.range({ prefix: '/s/' }, { ...o, limit: 2 }),
    'limit and sort': (o) =>
      kv.range({ prefix: '/s/' }, { ...o, limit: 2, sort: { by: 'value', order: 'descend' } }),
    'count only': (o) => kv.range({ prefix: '/s/' }, { ...o, countOnly: true }),
    filters: (o) => kv.range({ prefix: '/s/' }, { ...o, minModRevision: 2n, maxCreateRevision: 2n ** 62n }),
    'from a key on': (o) => kv.range({ start: '/s/c', end: '\0' }, { ...o, limit: 2 }),
    serializable: (o) => kv.range({ prefix: '/s/' }, { ...o, serializable: true }),
    'txn of reads': (o) =>
      kv.txn({ success: [{ get: '/s/a' }, { get: { prefix: '/s/' }, options: { limit: 1 } }] }, o),
    'conditional reads': (o) =>
      kv.txn(
        {
          compare: [{ key: '/s/a', target: 'version', is: '=', to: 2 }],
          success: [{ get: '/s/a' }],
          failure: [],
        },
        o,
      ),
    'no operation': (o) => kv.txn({}, o),
  };
  it.each(Object.keys(reads))('%s', async (name) => {
    await seed();
    const read = reads[name];
    if (read === undefined) throw new Error(name);
    const alone = await read({ coalesce: false });
    const [first, second, third] = await together(() => [read({}), read({}), read({})]);
    expect([first, second, third]).toEqual([alone, alone, alone]);
  });

  const writes: Record<string, (options: WriteOptions) => Promise<unknown>> = {
    put: (o) => kv.put('/s/a', 'x', o),
    'put with previous': (o) => kv.put('/s/a', 'x', { ...o, previous: true }),
    'put of a new key with previous': (o) => kv.put('/s/new', 'x', { ...o, previous: true }),
    'put that keeps the value': (o) => kv.put('/s/a', '', { ...o, ignoreValue: true, previous: true }),
    delete: (o) => kv.delete('/s/a', o),
    'delete of a range': (o) => kv.delete({ start: '/s/b', end: '/s/d' }, { ...o, previous: true }),
    'delete of none': (o) => kv.delete('/s/none', o),
    'txn that succeeds': (o) =>
      kv.txn(
        {
          compare: [{ key: '/s/a', target: 'version', is: '=', to: 2 }],
          success: [
            { get: '/s/a' },
            { put: { key: '/s/a', value: 'y', previous: true } },
            { get: { prefix: '/s/' } },
            { delete: '/s/b', previous: true },
          ],
          failure: [{ get: '/s/c' }],
        },
        o,
      ),
    'txn that fails': (o) =>
      kv.txn(
        {
          compare: [{ key: { prefix: '/s/' }, target: 'create', is: '=', to: 0 }],
          success: [{ put: { key: '/s/a', value: 'y' } }],
          failure: [{ delete: '/s/c' }, { get: { prefix: '/s/' } }],
        },
        o,
      ),
    'txn without condition': (o) =>
      kv.txn({ success: [{ put: { key: '/s/z', value: '1' } }, { get: '/s/z' }, { delete: '/s/a' }] }, o),
    'txn in txn': (o) =>
      kv.txn(
        {
          compare: [{ key: '/s/none', target: 'version', is: '=', to: 0 }],
          success: [
            { txn: { success: [{ put: { key: '/s/a', value: 'n' } }] } },
            {
              txn: {
                compare: [{ key: '/s/a', target: 'value', is: '=', to: '5' }],
                success: [{ get: '/s/a' }],
                failure: [{ get: '/s/b' }],
              },
            },
          ],
        },
        o,
      ),
  };
  it.each(Object.keys(writes))('%s', async (name) => {
    const write = writes[name];
    if (write === undefined) throw new Error(name);
    const outcome = async (answer: unknown) => plain([answer, (await kv.range({ prefix: '/s/' })).kvs]);
    await seed();
    const alone = await outcome(await write({ coalesce: false }));
    for (const idempotent of [false, true]) {
      await seed();
      const rpcs = await countRpcs(etcd.endpoint, async () => {
        const [answer] = await together(() => [
          write({ idempotent }),
          kv.put('/t/other', ''),
          kv.put('/u/other', ''),
        ]);
        expect(await outcome(answer)).toEqual(alone);
      });
      expect(rpcs.Txn).toBeGreaterThan(0);
    }
  });

  const refusals: Record<string, (options: WriteOptions) => Promise<unknown>> = {
    'a dead lease': (o) => kv.put('/s/a', 'x', { ...o, leaseId: 4711n }),
    'a dead lease in a txn': (o) =>
      kv.txn({ compare: [], success: [{ put: { key: '/s/a', value: '', leaseId: 4711n } }] }, o),
    'a missing key whose value is to be kept': (o) => kv.put('/s/none', '', { ...o, ignoreValue: true }),
    'a value for a key that is to keep its own': (o) => kv.put('/s/a', 'x', { ...o, ignoreValue: true }),
    'one key put twice': (o) =>
      kv.txn({ success: [{ put: { key: '/s/a', value: '' } }, { put: { key: '/s/a', value: '' } }] }, o),
    'one key put and deleted': (o) =>
      kv.txn({ success: [{ put: { key: '/s/a', value: '' } }, { delete: { prefix: '/s/' } }] }, o),
    'too many operations': (o) =>
      kv.txn({ success: Array.from({ length: 129 }, (_, i) => ({ put: { key: `/s/${i}`, value: '' } })) }, o),
    'a large request': (o) => kv.put('/s/a', Buffer.alloc(1_700_000), o),
    'a larger request': (o) => kv.put('/s/a', Buffer.alloc(3_000_000), o),
    'a revision to come': (o) => kv.get('/s/a', { coalesce: o.coalesce, revision: 2n ** 40n }),
    'a revision to come within a txn': (o) =>
      kv.txn(
        { success: [{ put: { key: '/s/y', value: '' } }, { get: '/s/a', options: { revision: 2n ** 40n } }] },
        o,
      ),
  };
  it.each(Object.keys(refusals))('refused alike: %s', async (name) => {
    const call = refusals[name];
    if (call === undefined) throw new Error(name);
    await seed();
    const before = await kv.range({ prefix: '/s/' });
    const reason = (error: unknown) =>
      error instanceof Error && 'code' in error && 'outcome' in error
        ? [error.name, error.code, error.outcome, error.message]
        : error;
    const alone = await call({ coalesce: false }).catch(reason);
    const [first, good, second] = await together(() => [
      call({}).catch(reason),
      kv.put('/t/good', 'x'),
      call({}).catch(reason),
    ]);
    expect([first, second]).toEqual([alone, alone]);
    expect(good.revision).toBeGreaterThan(0n);
    expect((await kv.range({ prefix: '/s/' })).kvs).toEqual(before.kvs);
  });
});

describe('what may not go together does not', () => {
  it('of two tries to take one name, one succeeds', async () => {
    const take = (holder: number) =>
      kv.txn({
        compare: [{ key: { prefix: '/lock/' }, target: 'create', is: '=', to: 0 }],
        success: [{ put: { key: `/lock/${holder}`, value: '' } }],
      });
    for (let round = 0; round < 20; round++) {
      const taken = await together(() => Array.from({ length: 6 }, (_, i) => take(i)));
      expect(taken.map(({ succeeded }) => succeeded)).toEqual([true, false, false, false, false, false]);
      await kv.delete({ prefix: '/lock/' });
    }
  });

  it('calls on a key take effect in the order in which they were made, awaited or not', async () => {
    for (let round = 0; round < 20; round++) {
      const seen: Promise<unknown>[] = [];
      const crowded = crowd();
      for (let i = 0; i < 8; i++) {
        const key = i % 2 ? '/order/a' : '/order/b';
        void kv.put(key, `${i}`, i % 3 === 0 ? { coalesce: false } : {});
        seen.push(
          kv.get(key, i % 4 === 0 ? { coalesce: false } : {}).then((found) => found?.text() === `${i}`),
        );
        if (i % 2) {
          seen.push(
            kv
              .range({ prefix: '/order/' })
              .then(({ kvs }) => kvs.map((each) => each.text()).join() === `${i},${i - 1}`),
          );
        }
        if (i === 5) void kv.delete({ prefix: '/order/' });
        if (i === 5) seen.push(kv.range({ prefix: '/order/' }).then(({ count }) => count === 0));
        if (i === 5) void kv.put('/order/b', '4');
      }
      await crowded;
      expect(await Promise.all(seen)).toEqual(seen.map(() => true));
    }
  });

  it('a call given up in the queue does not break the order of the others', async () => {
    for (let round = 0; round < 10; round++) {
      const crowded = crowd();
      const controller = new AbortController();
      const first = kv.put('/order/k', '1');
      const second = kv
        .put('/order/k', '2', { signal: controller.signal })
        .catch((error: Error) => error.name);
      const third = kv.txn({
        compare: [{ key: '/order/k', target: 'value', is: '=', to: '1' }],
        success: [{ put: { key: '/order/k', value: '3' } }],
      });
      controller.abort();
      expect(await second).toBe('AbortedError');
      expect((await third).succeeded).toBe(true);
      await Promise.all([first, crowded]);
      expect((await kv.get('/order/k'))?.text()).toBe('3');
    }
  });

  it('writes of a range named exclusive have each their own revision', async () => {
    const enqueue = (name: string, i: number) =>
      kv.put(`/queue/${name}/${i}`, '', { exclusive: [{ prefix: `/queue/${name}/` }] });
    const names = ['a', 'b', 'c'];
    for (let round = 0; round < 10; round++) {
      const answers = await together(() =>
        names.flatMap((name) => [0, 1, 2, 3].map((i) => enqueue(name, i))),
      );
      for (const [at] of names.entries()) {
        const revisions = answers.slice(4 * at, 4 * at + 4).map(({ revision }) => revision);
        expect(new Set(revisions).size).toBe(4);
        expect(revisions).toEqual(revisions.toSorted((x, y) => Number(x - y)));
      }
    }
    // Without it they may share one, and with so many at once some do.
    const free = await together(() => Array.from({ length: 30 }, (_, i) => kv.put(`/free/${i}`, '')));
    expect(new Set(free.map(({ revision }) => revision)).size).toBeLessThan(30);
  });

  it('one watch batch holds the keys that were written in one request', async () => {
    await using watch = client.watch({ prefix: '/watched/' });
    await watch.ready;
    const answers = await together(() => Array.from({ length: 40 }, (_, i) => kv.put(`/watched/${i}`, '')));
    const seen = new Map<string, bigint>();
    let batches = 0;
    for await (const { revision, events } of watch) {
      batches++;
      for (const { key } of events) seen.set(key, revision);
      if (seen.size === 40) break;
    }
    expect(batches).toBe(new Set(answers.map(({ revision }) => revision)).size);
    expect(answers.map((_, i) => seen.get(`/watched/${i}`))).toEqual(answers.map(({ revision }) => revision));
  });
});

describe('refused calls among good ones', () => {
  it('each gets its own answer, and the good ones are applied once', async () => {
    const session = await client.session({ ttlMs: 60_000 });
    const calls = Array.from({ length: 200 }, (_, i) => {
      if (i % 40 === 7) return kv.put(`/mixed/${i}`, '', { leaseId: 999n });
      if (i % 40 === 13) return kv.put(`/mixed/${i}`, '', { ignoreValue: true });
      if (i % 40 === 21)
        return kv.txn({ success: [{ delete: `/mixed/${i}` }, { put: { key: `/mixed/${i}`, value: '' } }] });
      return kv.put(`/mixed/${i}`, 'x', i % 2 ? { session } : {});
    });
    const names = await settled(calls);
    const expected = names.map((_, i) => {
      if (i % 40 === 7) return 'NotFoundError';
      return i % 40 === 13 || i % 40 === 21 ? 'ValidationError' : 'done';
    });
    expect(names).toEqual(expected);
    const { kvs } = await kv.range({ prefix: '/mixed/' });
    expect(kvs).toHaveLength(expected.filter((name) => name === 'done').length);
    expect(kvs.every(({ version }) => version === 1)).toBe(true);
    await session.close();
  });

  it('what was refused lately does not spoil further batches', async () => {
    const round = () =>
      settled(
        Array.from({ length: 100 }, (_, i) => kv.put(`/spoilt/${i}`, '', i === 50 ? { leaseId: 998n } : {})),
      );
    await round();
    const rpcs = await countRpcs(etcd.endpoint, async () => {
      expect((await round()).filter((name) => name !== 'done')).toEqual(['NotFoundError']);
    });
    expect(rpcs.Txn + rpcs.Put).toBeLessThan(8);
  });
});

describe('a server with lower limits', () => {
  it('is asked for less, and every call is answered', async () => {
    await using small = await startEtcd({ args: ['--max-txn-ops=10', '--max-request-bytes=20000'] });
    await using own = await connect(small.connectOptions);
    const value = 'x'.repeat(700);
    const round = () => Promise.all(Array.from({ length: 150 }, (_, i) => own.kv.put(`/small/${i}`, value)));
    await round();
    const reads = Array.from({ length: 150 }, (_, i) => own.kv.get(`/small/${i}`));
    expect((await Promise.all(reads)).every((each) => each?.text() === value)).toBe(true);
    const rpcs = await countRpcs(small.endpoint, round);
    // Learned: nothing is refused any more, so no request is made for less than a few calls.
    expect(rpcs.Txn + rpcs.Put).toBeLessThan(60);
    expect(await own.kv.put('/small/large', Buffer.alloc(30_000)).catch((error: Error) => error.name)).toBe(
      'ResourceExhaustedError',
    );
  });
});
