import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CoordClient, connect, createClient, type KV, type TxnRequest } from '../src/index.js';
import { countRpcs } from './rpc-count.js';

let etcd: EtcdServer;
let root: CoordClient;
/** May write below `/w/` and do anything below `/rw/`, and nothing else. */
let user: CoordClient;

beforeAll(async () => {
  etcd = await startEtcd({ auth: true });
  for (const args of [
    ['role', 'add', 'part'],
    ['role', 'grant-permission', 'part', 'write', '--prefix=true', '/w/'],
    ['role', 'grant-permission', 'part', 'readwrite', '--prefix=true', '/rw/'],
    ['user', 'add', 'ada:lovelace'],
    ['user', 'grant-role', 'ada', 'part'],
  ]) {
    await etcd.etcdctl(args);
  }
  root = await connect(etcd.connectOptions);
  user = await connect({ endpoints: etcd.endpoints, username: 'ada', password: 'lovelace' });
});
beforeEach(async () => {
  await root.kv.delete({ prefix: '/' });
});
afterAll(async () => {
  await user?.close();
  await root?.close();
  await etcd?.stop();
});

const nameOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'done',
    (error: Error) => error.name,
  );

/** Allowed calls, which share a batch with those that follow. */
function crowd(kv: KV, name: string): Promise<unknown> {
  return Promise.all(
    Array.from({ length: 6 }, (_, i) => [
      kv.put(`/rw/${name}/${i}`, ''),
      kv.get(`/rw/${name}/read/${i}`),
      kv.txn(create(`/rw/${name}/txn/${i}`)),
    ]).flat(),
  );
}

const create = (key: string): TxnRequest => ({
  compare: [{ key, target: 'create', is: '=', to: 0n }],
  success: [{ put: { key, value: '' } }],
  failure: [{ get: key }],
});

describe('a call that the user may not make is refused in a batch as by itself', () => {
  const denied: Record<string, (kv: KV, coalesce: boolean) => Promise<unknown>> = {
    put: (kv, coalesce) => kv.put('/secret', '', { coalesce }),
    get: (kv, coalesce) => kv.get('/secret', { coalesce }),
    range: (kv, coalesce) => kv.range({ prefix: '/' }, { coalesce }),
    delete: (kv, coalesce) => kv.delete('/secret', { coalesce }),
    'delete of a range that reaches too far': (kv, coalesce) =>
      kv.delete({ start: '/rw/', end: '/z' }, { coalesce }),
    'get of what may only be written': (kv, coalesce) => kv.get('/w/a', { coalesce }),
    'put that asks for what may not be read': (kv, coalesce) =>
      kv.put('/w/a', '', { previous: true, coalesce }),
    'delete that asks for what may not be read': (kv, coalesce) =>
      kv.delete('/w/a', { previous: true, coalesce }),
    'txn that puts': (kv, coalesce) => kv.txn(create('/secret'), { coalesce }),
    'txn that compares': (kv, coalesce) =>
      kv.txn(
        { compare: [{ key: '/w/a', target: 'version', is: '>', to: 0 }], success: [{ delete: '/rw/none' }] },
        { coalesce },
      ),
    'txn that would read if it failed': (kv, coalesce) =>
      kv.txn(
        {
          compare: [{ key: '/rw/a', target: 'version', is: '=', to: 0 }],
          success: [{ put: { key: '/rw/a', value: '' } }],
          failure: [{ get: '/secret' }],
        },
        { coalesce },
      ),
    'txn that would delete if it failed': (kv, coalesce) =>
      kv.txn(
        {
          compare: [{ key: '/rw/a', target: 'version', is: '=', to: 0 }],
          success: [{ put: { key: '/rw/a', value: '' } }],
          failure: [{ delete: '/secret' }],
        },
        { coalesce },
      ),
  };
  it.each(Object.keys(denied))('%s', async (name) => {
    const call = denied[name];
    if (call === undefined) throw new Error(name);
    await root.kv.put('/secret', 'x');
    await root.kv.put('/w/a', 'x');
    expect(await nameOf(call(user.kv, false))).toBe('PermissionError');
    const before = await root.kv.range({ prefix: '/' });
    const own = await connect({ endpoints: etcd.endpoints, username: 'ada', password: 'lovelace' });
    const crowded = crowd(own.kv, 'denied');
    const names = [nameOf(call(own.kv, true)), nameOf(call(own.kv, true)), nameOf(own.kv.put('/w/b', ''))];
    expect(await Promise.all(names)).toEqual(['PermissionError', 'PermissionError', 'done']);
    await crowded;
    expect((await root.kv.get('/secret'))?.text()).toBe('x');
    expect((await root.kv.get('/w/a'))?.version).toBe(1);
    expect(await root.kv.get('/rw/a')).toBeUndefined();
    expect((await root.kv.range({ prefix: '/' })).count).toBe(before.count + 13);
    await own.close();
  });

  it('a lease whose keys the user may not write', async () => {
    await using foreign = await root.session({ ttlMs: 60_000 });
    await root.kv.put('/secret', '', { session: foreign });
    const { leaseId } = foreign;
    expect(await nameOf(user.kv.put('/rw/leased', '', { leaseId, coalesce: false }))).toBe('PermissionError');
    const crowded = crowd(user.kv, 'leased');
    expect(await nameOf(user.kv.put('/rw/leased', '', { leaseId }))).toBe('PermissionError');
    await crowded;
    expect(await root.kv.get('/rw/leased')).toBeUndefined();
  });
});

describe('a user with permissions', () => {
  it('has its calls coalesced, conditional ones too', async () => {
    const n = 150;
    const rpcs = await countRpcs(etcd.endpoint, async () => {
      await Promise.all(Array.from({ length: n }, (_, i) => user.kv.put(`/rw/many/${i}`, '')));
      await Promise.all(Array.from({ length: n }, (_, i) => user.kv.get(`/rw/many/${i}`)));
      const created = await Promise.all(
        Array.from({ length: n }, (_, i) => user.kv.txn(create(`/rw/many/${i}${i % 2 ? '' : '-new'}`))),
      );
      expect(created.map(({ succeeded }) => succeeded)).toEqual(created.map((_, i) => i % 2 === 0));
    });
    expect(rpcs.Put + rpcs.Range + rpcs.Txn).toBeLessThan(40);
  });

  it('gets its answers though its token is refused in between', async () => {
    await user.kv.put('/rw/token', '');
    // A simple token is lost with the server's memory.
    await etcd.restart();
    const puts = Array.from({ length: 100 }, (_, i) =>
      user.kv.put(`/rw/token/${i}`, '', { idempotent: true }),
    );
    await Promise.all(puts);
    expect((await user.kv.range({ prefix: '/rw/token/' })).count).toBe(100);
  });
});

describe('a client without a user, at a server that wants one', () => {
  it('is refused in a batch as by itself', async () => {
    const nobody = createClient({ endpoints: etcd.endpoints });
    const calls = Array.from({ length: 30 }, (_, i) => nameOf(nobody.kv.txn(create(`/rw/nobody/${i}`))));
    const deletes = Array.from({ length: 30 }, (_, i) =>
      nameOf(
        nobody.kv.txn({
          compare: [{ key: `/rw/nobody/${i}`, target: 'create', is: '=', to: 1n }],
          success: [{ delete: `/rw/none/${i}` }],
        }),
      ),
    );
    expect(new Set(await Promise.all([...calls, ...deletes]))).toEqual(new Set(['AuthError']));
    await nobody.close();
    expect((await root.kv.range({ prefix: '/rw/nobody/' })).count).toBe(0);
  });
});
