import type { EtcdServer } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import { type CoordClient, CoordError, connect, type Op, type WatchCache } from '../src/index.js';
import { mistreat, storeOf } from './bad-input-support.js';
import { bad, expectRefused, NOTHING_GOOD, rejection, throwing, WRONG_KEYS } from './bad-input-values.js';

let etcd: EtcdServer;
let client: CoordClient;
let witness: CoordClient;
let cache: WatchCache<string>;
mistreat((made) => {
  ({ etcd, client, witness, cache } = made);
});

describe('values', () => {
  const { undefined: _, ...withoutUndefined } = WRONG_KEYS;
  const WRONG_VALUES = { ...withoutUndefined, nothing: undefined };

  it('that are neither text nor bytes are refused', async () => {
    for (const [name, value] of Object.entries(WRONG_VALUES)) {
      if (name === 'empty text' || name === 'no bytes') continue;
      expectRefused(await rejection(() => client.kv.put('a', bad(value))));
      const put = { key: 'a', value: bad<string>(value) };
      expectRefused(await rejection(() => client.kv.txn({ success: [{ put }] })));
      const compare = [{ key: 'a', target: 'value', is: '=', to: bad<string>(value) }] as const;
      expectRefused(await rejection(() => client.kv.txn({ compare })));
    }
  });

  it('of every size are stored or refused as too large, many at once as well', async ({ task }) => {
    task.meta.writes = true;
    const large = Buffer.alloc(1_400_000, 'v');
    const sizes = [0, 1, large.length, 1_600_000, 3_000_000, 12_000_000];
    const calls = Array.from({ length: 24 }, async (_, i) => {
      const size = sizes[i % sizes.length] ?? 0;
      try {
        await client.kv.put(`size/${i}`, Buffer.alloc(size, 'v'), { timeoutMs: 50_000 });
        return size;
      } catch (error) {
        expect(error).toMatchObject({ name: 'ResourceExhaustedError', outcome: 'not-applied' });
        return 'refused';
      }
    });
    const answers = await Promise.all(calls);
    const row = [0, 1, large.length, 'refused', 'refused', 'refused'];
    expect(answers).toEqual([...row, ...row, ...row, ...row]);
    const stored = await witness.kv.range({ prefix: '/app/size/' });
    expect(stored.kvs.map(({ value }) => value.length).sort((a, b) => a - b)).toEqual([
      ...[0, 0, 0, 0, 1, 1, 1, 1],
      ...Array.from({ length: 4 }, () => large.length),
    ]);
    await client.kv.delete({ prefix: 'size/' });
  });
});

describe('transactions', () => {
  const puts = (n: number): Op[] =>
    Array.from({ length: n }, (_, i) => ({ put: { key: `op/${i}`, value: 'x' } }));

  it('that are none are refused', async () => {
    const cyclic: { success: Op[] } = { success: [] };
    cyclic.success.push({ txn: cyclic });
    const nested = (depth: number): Op =>
      depth === 0 ? { put: { key: 'deep', value: 'x' } } : { txn: { success: [nested(depth - 1)] } };
    const wrong: unknown[] = [
      ...Object.values(NOTHING_GOOD),
      undefined,
      'x',
      { compare: {} },
      { compare: [null] },
      { compare: [{}] },
      { compare: [{ key: 'a', target: 'value', is: '=', to: 5 }] },
      { compare: [{ key: 'a', target: 'toString', is: '=', to: 5 }] },
      { compare: [{ key: 'a', target: Symbol('s'), is: '=', to: 5 }] },
      { compare: [{ key: 'a', target: 'mod', is: 'constructor', to: 5 }] },
      { success: 'get' },
      { success: [null] },
      { success: new Array(1) },
      { success: [[]] },
      { success: [{}] },
      { success: [{ put: null }] },
      { success: [{ txn: null }] },
      { success: [{ get: 'a', delete: 'usable' }] },
      { success: [{ get: 'a', options: null }] },
      { success: [{ put: { key: 'a', value: 'x' }, txn: {} }] },
      { success: [...puts(3), { put: { key: '', value: 'x' } }] },
      { failure: new Set() },
      throwing('compare'),
      { success: [throwing('put')] },
      cyclic,
      { success: [nested(60)] },
      { success: [nested(5_000)] },
    ];
    for (const request of wrong) expectRefused(await rejection(() => client.kv.txn(bad(request))));
  });

  it.each([true, false])(
    'of 129 operations, or with one key twice: refused (coalesce: %s)',
    async (coalesce) => {
      const refused = [puts(129), [...puts(2), ...puts(1)], [{ txn: { success: puts(129) } }]];
      const calls = refused.map((success) => () => client.kv.txn({ success }, { coalesce }));
      for (const error of await Promise.all(calls.map(rejection))) expectRefused(error);
    },
  );

  it('of 128 operations, nested ones too, are carried out', async ({ task }) => {
    task.meta.writes = true;
    expect((await client.kv.txn({ success: puts(128) })).responses).toHaveLength(128);
    const nested = await client.kv.txn({ success: [{ txn: { success: puts(127) } }] });
    expect(nested.responses[0]).toMatchObject({ type: 'txn', succeeded: true });
    await client.kv.delete({ prefix: 'op/' });
  });
});

describe('what etcd refuses', () => {
  it('a future revision, a compacted one, and a dead lease are typed errors', async ({ task }) => {
    task.meta.writes = true; // the history is cut
    const before = await storeOf(witness);
    const future = await rejection(() => client.kv.get('a', { revision: 2n ** 62n }));
    expect(future).toBeInstanceOf(CoordError);
    expect(future).toMatchObject({ code: 'COORD_SERVER', outcome: 'not-applied' });
    const dead = await rejection(() => client.kv.put('a', 'x', { leaseId: 12345n }));
    expect(dead).toMatchObject({ name: 'NotFoundError', outcome: 'not-applied' });
    expect(await storeOf(witness)).toEqual(before);
    await etcd.compact();
    const old = await rejection(() => client.kv.get('a', { revision: 1n }));
    expect(old).toMatchObject({ name: 'CompactedError', outcome: 'not-applied' });
    const pages = client.kv.list('a', { revision: 1n })[Symbol.asyncIterator]();
    expect(await rejection(() => pages.next())).toMatchObject({ name: 'CompactedError' });
  });

  it('watches closed before they are attached harm nobody', async () => {
    const watches = Array.from({ length: 50 }, (_, i) => client.watch(`early/${i}`));
    await Promise.all(watches.map((watch) => watch.close()));
    for (const watch of watches) {
      expect(await rejection(() => watch.ready)).toMatchObject({ name: 'ClosedError' });
    }
  });
});

describe('a key that looks dangerous is a key like any other', () => {
  const long = 'k'.repeat(512);
  const keys = [
    '/',
    '.',
    '..',
    '../lk/x',
    'a//b',
    '%2e%2e',
    '\0',
    '\n\r\u001b[31m',
    '__proto__',
    'constructor',
  ];
  const texts = [
    ...keys,
    'é',
    'e\u0301',
    '\u200f\u202eabc',
    'a',
    'a/',
    'ab',
    long,
    `${long}k`,
    'k'.repeat(1_000_000),
  ];
  const bytes = [Buffer.of(0xff), Buffer.of(0xff, 0xff), Buffer.of(0xfe), Buffer.of(0xed, 0xa0, 0x80)];

  it('kept apart from all others, whole, and within the namespace', async ({ task }) => {
    task.meta.writes = true;
    const all = [...texts, ...bytes];
    for (const [i, key] of all.entries()) await client.kv.put(key, `value ${i}`);
    for (const [i, key] of all.entries()) {
      const kv = await client.kv.get(key);
      expect(kv?.text()).toBe(`value ${i}`);
      expect(Buffer.from(kv?.rawKey ?? [])).toEqual(Buffer.from(key));
      expect(await client.kv.range(key)).toMatchObject({ count: 1 });
    }
    const inside = await witness.kv.range({ prefix: '/app/' }, { countOnly: true });
    expect((await storeOf(witness)).keys).toBe(inside.count);
    const copy = client.cache({ prefix: '' }, { decode: (kv) => kv.text() });
    await copy.ready;
    for (const [i, key] of all.entries()) expect(copy.get(key)).toBe(`value ${i}`);
    await copy.close();
    for (const key of all) expect(await client.kv.delete(key)).toMatchObject({ deleted: 1 });
  });

  it('or is refused by etcd for its size', async () => {
    const error = await rejection(() => client.kv.put('k'.repeat(1_600_000), 'x'));
    expect(error).toMatchObject({ name: 'ResourceExhaustedError', outcome: 'not-applied' });
  });
});

describe('what the caller changes after the call', () => {
  it('was sent as it was', async ({ task }) => {
    task.meta.writes = true;
    const key = Buffer.from('reused/?');
    const value = new Uint8Array(1);
    const success: Op[] = [];
    const calls: Promise<unknown>[] = [];
    for (let i = 0; i < 100; i++) {
      key[7] = 0x80 + i;
      value[0] = i;
      calls.push(client.kv.put(key, value));
    }
    success.push({ put: { key: 'seen/reused', value: 'x' } });
    calls.push(client.kv.txn({ success }));
    success.pop();
    success.push(bad({ put: null }));
    await Promise.all(calls);
    await cache.synced();
    expect(cache.get('seen/reused')).toBe('x');
    const { kvs } = await client.kv.range({ prefix: 'reused/' });
    expect(kvs.map(({ rawKey, value: [byte] }) => [rawKey.at(-1), byte])).toEqual(
      Array.from({ length: 100 }, (_, i) => [0x80 + i, i]),
    );
    key.set(Buffer.from('watched!'));
    const watch = client.watch(key);
    key.fill('-');
    await watch.ready;
    await client.kv.put('watched!', 'x');
    for await (const { events } of watch) {
      expect(events).toMatchObject([{ key: 'watched!' }]);
      break;
    }
    await client.kv.delete({ prefix: 'reused/' });
  });
});

describe('a logger', () => {
  it('that throws harms nothing', async () => {
    const fail = (): never => {
      throw new Error('disk full');
    };
    const logger = { error: fail, warn: fail, info: fail, debug: fail };
    const own = await connect({ ...etcd.connectOptions, logger, logLevel: 'debug' });
    const broken = own.cache('usable', {
      decode: () => {
        throw new Error('undecodable');
      },
    });
    await broken.ready;
    const opened = await own.session();
    await opened.close();
    await own.close();
  });
});
