import { ValidationError } from '@coord/client';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLocks } from '../src/index.js';
import { metric, party, uniqueName } from './support.js';

let etcd: EtcdServer;
beforeEach(async () => {
  etcd = await startEtcd(); // each counts its own keepalives
});
afterEach(() => etcd.stop());

const keepalives = () =>
  metric(
    etcd.endpoint,
    'grpc_server_msg_received_total{grpc_method="LeaseKeepAlive",grpc_service="etcdserverpb.Lease",grpc_type="bidi_stream"}',
  );

async function untilRenewed(times: number): Promise<number> {
  const startedAt = performance.now();
  const before = await keepalives();
  await eventually(async () => expect((await keepalives()) - before).toBeGreaterThanOrEqual(times), {
    timeoutMs: 15_000,
  });
  return performance.now() - startedAt;
}

describe('renewIntervalMs', () => {
  it('renews more often than the TTL asks for', async () => {
    const { locks } = await party(etcd.connectOptions, { defaultTtlMs: 60_000, renewIntervalMs: 100 });
    await locks.acquire(uniqueName());
    // By the TTL alone, the second one would come after 20 seconds.
    expect(await untilRenewed(6)).toBeGreaterThan(400);
  });

  it('is an upper bound: a shorter TTL is renewed in time', async () => {
    const { locks } = await party(etcd.connectOptions, { defaultTtlMs: 60_000, renewIntervalMs: 30_000 });
    const lock = await locks.acquire(uniqueName(), { ttlMs: 2_000 });
    await untilRenewed(4);
    expect(await lock.isHeld()).toBe(true);
  });

  it('does not hurry others on the same client', async () => {
    const { locks, client } = await party(etcd.connectOptions, { defaultTtlMs: 60_000 });
    const hurried = createLocks(client, { defaultTtlMs: 60_000, renewIntervalMs: 100 });
    const [slow, fast] = await Promise.all([locks.acquire(uniqueName()), hurried.acquire(uniqueName())]);
    const leaseOf = async (key: string) => (await client.kv.get(key))?.leaseId;
    expect(await leaseOf(slow.etcdKey)).not.toBe(await leaseOf(fast.etcdKey));
    await hurried.close();
  });

  it('is refused when it leaves no time for a second try', async () => {
    const { client } = await party(etcd.connectOptions);
    const bad = [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 15_001, '100', null];
    for (const renewIntervalMs of bad) {
      const make = () =>
        Reflect.apply(createLocks, undefined, [client, { defaultTtlMs: 30_000, renewIntervalMs }]);
      expect(make).toThrow(ValidationError);
      expect(make).toThrow('renewIntervalMs');
    }
    createLocks(client, { defaultTtlMs: 30_000, renewIntervalMs: 15_000 });
  });
});
