import { type CoordClient, connect, type KV, TimeoutError, type TxnResult } from '@coord/client';
import { internalsOf } from '@coord/client/internal';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRegistry } from '../src/index.js';
import { KeyClaim } from '../src/key-claim.js';
import type { ServiceInfo } from '../src/service-info.js';

let etcd: EtcdServer;
let client: CoordClient;

beforeAll(async () => {
  etcd = await startEtcd();
  client = await connect({ ...etcd.connectOptions, requestTimeoutMs: 1_000 });
});

afterAll(async () => {
  await client?.close();
  await etcd?.stop();
});

const info: ServiceInfo = {
  name: 'late',
  id: 'a',
  address: '10.0.0.1',
  port: 1,
  metadata: {},
  health: 'healthy',
  weight: 1,
  registerTime: new Date(),
  lastHeartbeat: new Date(),
};

/** The first transaction is lost on its way to etcd, and can be made to arrive later. */
function withLateTxn(kv: KV): { kv: KV; arrive: () => Promise<TxnResult> } {
  let arrive: (() => Promise<TxnResult>) | undefined;
  const late: KV = {
    get: (key, options) => kv.get(key, options),
    range: (range, options) => kv.range(range, options),
    list: (range, options) => kv.list(range, options),
    put: (key, value, options) => kv.put(key, value, options),
    delete: (range, options) => kv.delete(range, options),
    txn: (request, options) => {
      if (arrive) return kv.txn(request, options);
      arrive = () => kv.txn(request);
      return Promise.reject(new TimeoutError('lost', { timeoutMs: 1, outcome: 'unknown' }));
    },
  };
  return { kv: late, arrive: () => arrive?.() ?? Promise.reject(new Error('nothing was sent')) };
}

describe('an attempt to register that arrives late', () => {
  const options = { signal: new AbortController().signal, replace: false, create: true };

  it.each([true, false])('lands unless it has been withdrawn: %s', async (withdrawn) => {
    const key = `/services/late/${withdrawn}`;
    const { kv, arrive } = withLateTxn(client.kv);
    const claim = new KeyClaim(kv, key);
    const { session, release } = await internalsOf(client).borrowSession('registry', 5_000);
    await expect(claim.publish(() => info, session, options)).rejects.toBeInstanceOf(TimeoutError);
    expect(claim.hasUnresolvedWrites).toBe(true);
    if (withdrawn) await claim.withdraw();
    expect(claim.hasUnresolvedWrites).toBe(!withdrawn);
    expect((await arrive()).succeeded).toBe(!withdrawn);
    expect((await client.kv.get(key)) === undefined).toBe(withdrawn);
    const marks = await client.kv.range({ prefix: '/coord/registry/withdrawn/' });
    expect(marks.kvs.every(({ leaseId }) => leaseId === session.leaseId)).toBe(true);
    release();
  });

  it('is known to have landed once its value has been seen', async () => {
    const { kv, arrive } = withLateTxn(client.kv);
    const claim = new KeyClaim(kv, '/services/late/seen');
    const { session, release } = await internalsOf(client).borrowSession('registry', 5_000);
    await expect(claim.publish(() => info, session, options)).rejects.toBeInstanceOf(TimeoutError);
    await arrive();
    await claim.publish(() => info, session, options);
    expect(claim.hasUnresolvedWrites).toBe(false);
    expect((await client.kv.get('/services/late/seen'))?.version).toBe(2);
    release();
  });
});

describe('a write that an operator has come before', () => {
  const options = { signal: new AbortController().signal, replace: false, create: false };

  it.each([true, false])('is told what he has written, and may give way: %s', async (givesWay) => {
    const key = `/services/late/operated-${givesWay}`;
    const claim = new KeyClaim(client.kv, key);
    const { session, release } = await internalsOf(client).borrowSession('registry', 5_000);
    await claim.publish(() => info, session, { ...options, create: true });
    const byOperator = (await client.kv.get(key))?.text().replace('"healthy"', '"maintenance"') ?? '';
    await client.kv.put(key, byOperator.replace('"generation":1', '"generation":0'), { ignoreLease: true });
    const told: unknown[] = [];
    await claim.publish(
      (found) => {
        told.push(found && [found.info.health, found.author?.generation]);
        return found && givesWay ? undefined : { ...info, health: 'unhealthy' };
      },
      session,
      options,
    );
    expect(told).toEqual([undefined, ['maintenance', 0]]);
    const kv = await client.kv.get(key);
    expect(kv).toMatchObject({ version: givesWay ? 2 : 3, leaseId: session.leaseId });
    expect(Reflect.get(Object(kv?.json()), 'health')).toBe(givesWay ? 'maintenance' : 'unhealthy');
    release();
  });
});

describe('a registration that was given up while etcd was frozen', () => {
  it('does not stay behind when etcd thaws and applies it', async () => {
    const registry = createRegistry(client, { ttlMs: 30_000 });
    await registry.register({ name: 'other', address: '10.0.0.1:1' }); // the lease is there already
    await etcd.pause();
    await expect(
      registry.register({ name: 'frozen', id: 'a', address: '10.0.0.1:1' }, { timeoutMs: 300 }),
    ).rejects.toMatchObject({ outcome: 'unknown' });
    await etcd.resume();
    const key = '/services/frozen/a';
    await eventually(
      async () => {
        const { kvs } = await client.kv.range({ prefix: '/coord/registry/withdrawn/' });
        const put = await client.kv.get(key);
        expect(put).toBeUndefined();
        expect(kvs.length).toBeGreaterThanOrEqual(2);
      },
      { timeoutMs: 15_000 },
    );
    expect(await registry.discover('frozen', { consistency: 'linearizable' })).toEqual([]);
    await registry.close();
  });
});
