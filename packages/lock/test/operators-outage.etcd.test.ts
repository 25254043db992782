import { NotFoundError, TimeoutError } from '@coord/client';
import { type EtcdServer, eventually, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Party, party, queueLength, rejection, uniqueName } from './support.js';

let etcd: EtcdServer;
let proxy: Awaited<ReturnType<typeof startProxy>>;
/** Reaches etcd through the proxy. */
let remote: Party;
/** Reaches etcd directly. */
let direct: Party;

beforeAll(async () => {
  etcd = await startEtcd();
  proxy = await startProxy({ target: etcd.endpoint });
});
afterAll(async () => {
  await proxy.close();
  await etcd.stop();
});
beforeEach(async () => {
  proxy.heal();
  direct = await party(etcd.connectOptions, { defaultTtlMs: 60_000 });
  remote = await party({ ...etcd.connectOptions, endpoints: [proxy.endpoint] });
});

describe('forceRelease', () => {
  it('whose answer was lost has happened, and says so', async () => {
    const name = uniqueName();
    const lock = await direct.locks.acquire(name);
    const waiting = direct.locks.acquire(name);
    // It looks before it writes: only the answer to what it writes is to be lost.
    const { kv } = remote.client;
    const { txn } = kv;
    let calls = 0;
    kv.txn = (...call) => {
      calls += 1;
      if (calls === 2) proxy.blackholeOpen('toClient');
      return txn.apply(kv, call);
    };
    await remote.locks.forceRelease(name, lock.fencingToken);
    proxy.heal();
    expect(calls).toBe(3); // a look, a release, and one more that found it gone
    const next = await waiting;
    expect(next.fencingToken).toBeGreaterThan(lock.fencingToken);
    expect(await rejection(remote.locks.forceRelease(name, lock.fencingToken))).toBeInstanceOf(NotFoundError);
    expect(await next.isHeld()).toBe(true);
    await next.release();
    await queueLength(direct.client, name, 0);
  });

  it('without an answer ends in time, and does not claim that nothing happened', async () => {
    const name = uniqueName();
    const lock = await direct.locks.acquire(name);
    const { kv } = remote.client;
    const { txn } = kv;
    let calls = 0;
    kv.txn = (...call) => {
      calls += 1;
      if (calls === 2) proxy.blackhole('toClient');
      return txn.apply(kv, call);
    };
    const error = await rejection(remote.locks.forceRelease(name, lock.fencingToken, { timeoutMs: 1_500 }));
    if (!(error instanceof TimeoutError)) throw error;
    expect(error.outcome).toBe('unknown');
    await queueLength(direct.client, name, 0);
  });
});

describe('setPermits', () => {
  it('whose answer was lost has happened, and nothing that was set since is undone', async () => {
    const name = uniqueName();
    const semaphore = remote.locks.semaphore(name, { permits: 1 });
    await (await semaphore.acquire()).release();
    const limit = async () => (await direct.client.kv.get(`/coord/locks/sem/${name}/limit`))?.text();
    proxy.blackholeOpen('toClient');
    await semaphore.setPermits(2);
    expect(await limit()).toBe('2');
    await direct.locks.semaphore(name, { permits: 2 }).setPermits(3);
    proxy.heal(); // the late copy of the first attempt arrives now, if there is one
    await (await direct.locks.semaphore(name, { permits: 3 }).acquire(3)).release();
    await eventually(async () => expect(await limit()).toBe('3'));
  });
});
