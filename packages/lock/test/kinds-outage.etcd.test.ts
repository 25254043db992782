import { type EtcdServer, eventually, startEtcd, startProxy, type Proxy as TestProxy } from '@coord/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DistributedLock, Lock } from '../src/index.js';
import { metric, type Party, party, rejection, uniqueName } from './support.js';

let etcd: EtcdServer;
let proxy: TestProxy;
/** Reaches etcd through the proxy. */
let remote: Party;
/** Reaches etcd directly, to see what is there. */
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
  await proxy.accept();
  direct = await party(etcd.connectOptions);
  remote = await party({ ...etcd.connectOptions, endpoints: [proxy.endpoint] });
  // The shared session is there before the line fails.
  await (await remote.locks.acquire(uniqueName())).release();
});

/** One of each kind, held alone. */
const KINDS: Readonly<Record<string, (locks: DistributedLock, name: string) => Promise<Lock>>> = {
  'read lock': (locks, name) => locks.acquireReadLock(name),
  'write lock': (locks, name) => locks.acquireWriteLock(name),
  'lock of several names': (locks, name) => locks.acquireAll([name, `${name}-b`, `${name}-c`]),
  permit: (locks, name) => locks.semaphore(name, { permits: 1 }).acquire(),
  'reentrant lock': (locks, name) => locks.acquireReentrant(name, { owner: 'test' }),
};

/** Who stands in the way of each kind, if he comes first. */
function acquireInTheWay(kind: string, { locks }: Party, name: string): Promise<Lock> {
  if (kind === 'permit') return locks.semaphore(name, { permits: 1 }).acquire();
  return kind === 'read lock' || kind === 'write lock' ? locks.acquireWriteLock(name) : locks.acquire(name);
}

/** All keys of these locks, but for the number of permits. */
async function keysOf(name: string): Promise<readonly string[]> {
  const prefixes = ['/locks/', '/coord/locks/rw/', '/coord/locks/sem/'];
  const found = await Promise.all(
    prefixes.map((prefix) => direct.client.kv.range({ prefix: `${prefix}${name}` })),
  );
  return found.flatMap(({ kvs }) => kvs.map(({ key }) => key)).filter((key) => !key.endsWith('/limit'));
}

const keysPerHold = (kind: string) => ({ 'write lock': 2, 'lock of several names': 3 })[kind] ?? 1;

async function untilRepeated(): Promise<void> {
  const proposals = () => metric(etcd.endpoint, 'etcd_server_proposals_applied_total');
  const before = await proposals();
  await eventually(async () => expect(await proposals()).toBeGreaterThan(before), { timeoutMs: 10_000 });
}

async function untilKeys(name: string, count: number): Promise<void> {
  await eventually(async () => expect(await keysOf(name)).toHaveLength(count), { timeoutMs: 10_000 });
}

describe.each(Object.entries(KINDS))('a %s', (kind, acquire) => {
  const own = keysPerHold(kind);

  it('is granted once when the answer to its request is lost', async () => {
    const name = uniqueName();
    if (kind === 'permit') await (await acquire(direct.locks, name)).release(); // their number is in etcd
    proxy.blackholeOpen('toClient');
    const acquiring = acquire(remote.locks, name);
    await untilKeys(name, own);
    await untilRepeated();
    const lock = await acquiring; // over another line, while the answer is still held back
    proxy.heal();
    expect(await keysOf(name)).toHaveLength(own);
    expect((await direct.client.kv.get(lock.etcdKey))?.createRevision).toBe(lock.fencingToken);
    expect(await lock.isHeld()).toBe(true);
    await lock.release();
    expect(await keysOf(name)).toEqual([]);
  });

  it('is released once when the answer to that is lost, and the successor keeps its own', async () => {
    const name = uniqueName();
    const lock = await acquire(remote.locks, name);
    const waiting = acquireInTheWay(kind, direct, name);
    await eventually(async () => expect((await keysOf(name)).length).toBeGreaterThan(own), {
      timeoutMs: 10_000,
    });
    proxy.blackholeOpen('toClient');
    const releasing = lock.release();
    const successor = await waiting;
    await untilRepeated();
    proxy.heal();
    await releasing;
    await lock.release();
    expect(await successor.isHeld()).toBe(true);
    await successor.release();
    await untilKeys(name, 0);
  });

  it('is waited for over a restart of etcd', async () => {
    const name = uniqueName();
    const before = await acquireInTheWay(kind, direct, name);
    const inTheWay = (await keysOf(name)).length;
    const waiting = acquire(remote.locks, name);
    await eventually(async () => expect((await keysOf(name)).length).toBeGreaterThan(inTheWay), {
      timeoutMs: 10_000,
    });
    await etcd.restart();
    await before.release();
    const lock = await waiting;
    expect(await lock.isHeld()).toBe(true);
    await lock.release();
    await untilKeys(name, 0);
  });

  it('is not waited for any more by one whose lease is gone', async () => {
    const name = uniqueName();
    const before = await acquireInTheWay(kind, direct, name);
    const inTheWay = new Set(await keysOf(name));
    const waiting = rejection(acquire(remote.locks, name));
    const mine = await eventually(async () => {
      const key = (await keysOf(name)).find((each) => !inTheWay.has(each));
      expect(key).toBeDefined();
      return key ?? '';
    });
    const { leaseId } = (await direct.client.kv.get(mine)) ?? {};
    await etcd.etcdctl(['lease', 'revoke', leaseId?.toString(16) ?? '']);
    expect(await waiting).toMatchObject({ name: 'LockExpiredError' });
    await before.release();
    await untilKeys(name, 0);
  });
});
