import { AbortedError, CoordError, TimeoutError } from '@coord/client';
import { eventually } from '@coord/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { LockTimeoutError } from '../src/index.js';
import { isSettled, metric, queueKeys, queueLength, rejection, uniqueName } from './support.js';
import { useTwoLines } from './two-lines.js';

const t = useTwoLines();
beforeEach(async () => {
  // The shared session is there before the line fails.
  await (await t.remote.locks.acquire(uniqueName())).release();
});

const abortMarks = async () => (await t.direct.client.kv.range({ prefix: '/coord/locks/abort/' })).count;

/**
 * Until the first attempt has been given up and its repetition has reached etcd over another line, as one
 * more raft proposal.
 */
async function untilRepeated(): Promise<void> {
  const proposals = () => metric(t.etcd.endpoint, 'etcd_server_proposals_applied_total');
  const before = await proposals();
  await eventually(async () => expect(await proposals()).toBeGreaterThan(before));
}

describe('a lost response', () => {
  it('to an enqueue: one key, one grant', async () => {
    const name = uniqueName();
    t.proxy.blackholeOpen('toClient');
    const acquiring = t.remote.locks.acquire(name);
    await queueLength(t.direct.client, name, 1);
    await untilRepeated();
    const lock = await acquiring; // over another line, while the answer is still held back
    t.proxy.heal();
    expect(await queueKeys(t.direct.client, name)).toEqual([lock.etcdKey]);
    expect((await t.direct.client.kv.get(lock.etcdKey))?.createRevision).toBe(lock.fencingToken);
    const marks = await abortMarks();
    await lock.release();
    expect(await queueKeys(t.direct.client, name)).toEqual([]);
    // An attempt may still be under way somewhere. When it arrives now, it must fail.
    expect(await abortMarks()).toBe(marks + 1);
    const absent = (key: string) => ({ key, target: 'create', is: '=', to: 0n }) as const;
    const late = await t.direct.client.kv.txn({
      compare: [absent(lock.etcdKey), absent(`/coord/locks/abort/${lock.etcdKey.slice(-36)}`)],
      success: [{ put: { key: lock.etcdKey, value: 'late' } }],
    });
    expect(late.succeeded).toBe(false);
  });

  it('to an enqueue behind another: its place is kept', async () => {
    const name = uniqueName();
    const first = await t.direct.locks.acquire(name);
    t.proxy.blackholeOpen('toClient');
    const acquiring = t.remote.locks.acquire(name);
    await queueLength(t.direct.client, name, 2);
    await untilRepeated();
    t.proxy.heal();
    await first.release();
    const lock = await acquiring;
    expect(await queueKeys(t.direct.client, name)).toEqual([lock.etcdKey]);
    await lock.release();
  });

  it('to a tryAcquire: held, not in conflict with itself', async () => {
    const name = uniqueName();
    t.proxy.blackholeOpen('toClient');
    const acquiring = t.remote.locks.tryAcquire(name);
    await queueLength(t.direct.client, name, 1);
    await untilRepeated();
    t.proxy.heal();
    const lock = await acquiring;
    expect(await queueKeys(t.direct.client, name)).toEqual([lock.etcdKey]);
    expect(await lock.isHeld()).toBe(true);
    await lock.release();
  });

  it('to a tryAcquire that gave up: nothing stays', async () => {
    const name = uniqueName();
    t.proxy.blackholeOpen('toClient');
    const failing = rejection(t.remote.locks.tryAcquire(name, { timeoutMs: 700 }));
    await queueLength(t.direct.client, name, 1);
    expect(await failing).toBeInstanceOf(TimeoutError);
    t.proxy.heal();
    await queueLength(t.direct.client, name, 0);
  });

  it('to a release: resolves, and the successor keeps its lock', async () => {
    const name = uniqueName();
    const lock = await t.remote.locks.acquire(name);
    const waiting = t.direct.locks.acquire(name);
    await queueLength(t.direct.client, name, 2);
    t.proxy.blackholeOpen('toClient');
    const releasing = lock.release();
    const successor = await waiting;
    await untilRepeated();
    t.proxy.heal();
    await releasing;
    await lock.release();
    expect(await queueKeys(t.direct.client, name)).toEqual([successor.etcdKey]);
    expect(await successor.isHeld()).toBe(true);
  });

  it('to a renewal: the key is on the new lease, and the lock is held', async () => {
    const lock = await t.remote.locks.acquire(uniqueName());
    const { leaseId } = (await t.direct.client.kv.get(lock.etcdKey)) ?? {};
    // The session to move to is there before the line fails.
    const other = await t.remote.locks.acquire(uniqueName(), { ttlMs: 20_000 });
    t.proxy.blackholeOpen('toClient');
    const renewing = lock.renew(20_000, { timeoutMs: 8_000 });
    await eventually(async () =>
      expect((await t.direct.client.kv.get(lock.etcdKey))?.leaseId).not.toBe(leaseId),
    );
    t.proxy.heal();
    expect(await renewing).toBe(true);
    expect(await lock.ttl()).toBeGreaterThan(15_000);
    const moved = await t.direct.client.kv.get(lock.etcdKey);
    expect(moved?.leaseId).toBe((await t.direct.client.kv.get(other.etcdKey))?.leaseId);
    expect(moved?.createRevision).toBe(lock.fencingToken);
    await lock.release();
  });
});

describe('an abort whose enqueue', () => {
  it('was applied, unknown to us: leaves nothing', async () => {
    const name = uniqueName();
    t.proxy.blackholeOpen('toClient');
    const abort = new AbortController();
    const acquiring = rejection(t.remote.locks.acquire(name, { signal: abort.signal }));
    await queueLength(t.direct.client, name, 1);
    const abortedAt = performance.now();
    abort.abort();
    expect(await acquiring).toBeInstanceOf(AbortedError);
    expect(performance.now() - abortedAt).toBeLessThan(700); // it does not wait for the line
    const next = t.direct.locks.acquire(name);
    await untilRepeated();
    t.proxy.heal();
    const lock = await next;
    expect(await queueKeys(t.direct.client, name)).toEqual([lock.etcdKey]);
  });

  it('arrives late: leaves nothing', async () => {
    const name = uniqueName();
    t.proxy.blackhole('toServer');
    const { accepted } = t.proxy;
    const abort = new AbortController();
    const acquiring = rejection(t.remote.locks.acquire(name, { signal: abort.signal }));
    setTimeout(() => abort.abort(), 100);
    expect(await acquiring).toBeInstanceOf(AbortedError);
    // The first attempt has been given up, and is repeated over another line.
    await eventually(() => t.proxy.accepted > accepted, { timeoutMs: 15_000 });
    t.proxy.heal();
    await t.remote.locks.close({ timeoutMs: 20_000 });
    expect(await queueKeys(t.direct.client, name)).toEqual([]);
    await (await t.direct.locks.tryAcquire(name)).release();
  });
});

describe('while etcd is away', () => {
  async function cutOff(): Promise<void> {
    await t.proxy.refuse();
    t.proxy.cut();
  }

  it('acquire waits until it is back', async () => {
    await cutOff();
    const acquiring = t.remote.locks.acquire(uniqueName());
    await eventually(() => t.remote.client.health.state !== 'ready', { timeoutMs: 15_000 });
    expect(await isSettled(acquiring)).toBe(false);
    await t.proxy.accept();
    await (await acquiring).release();
  });

  it('acquire ends with its timeout, and says why it did not get the lock', async () => {
    await cutOff();
    const startedAt = performance.now();
    const error = await rejection(t.remote.locks.acquire(uniqueName(), { timeoutMs: 1_500 }));
    if (!(error instanceof LockTimeoutError)) throw error;
    expect(performance.now() - startedAt).toBeLessThan(2_800);
    expect(error.message).toMatch(/etcd has not answered|last failure/);
    expect(error.holder).toBeUndefined();
  });

  it("tryAcquire fails after the client's requestTimeoutMs at the latest", async () => {
    await cutOff();
    const startedAt = performance.now();
    const error = await rejection(t.remote.locks.tryAcquire(uniqueName()));
    expect(CoordError.is(error) && error.code).toMatch(/^COORD_(CONNECTION|TIMEOUT)$/);
    expect(performance.now() - startedAt).toBeLessThan(15_000);
  });

  it('release rejects in time, and goes on by itself', async () => {
    const lock = await t.remote.locks.acquire(uniqueName());
    await cutOff();
    const error = await rejection(lock.release({ timeoutMs: 500 }));
    if (!(error instanceof TimeoutError)) throw error;
    expect(error.outcome).toBe('unknown');
    expect(() => lock.assertHeld()).toThrow();
    await t.proxy.accept();
    await queueLength(t.direct.client, lock.key, 0);
    await lock.release();
  });

  it('release survives a cut connection', async () => {
    const lock = await t.remote.locks.acquire(uniqueName());
    t.proxy.cut();
    await lock.release();
    expect(await queueKeys(t.direct.client, lock.key)).toEqual([]);
  });

  it('a waiter keeps its place over a cut connection', async () => {
    const name = uniqueName();
    const first = await t.direct.locks.acquire(name);
    const waiting = t.remote.locks.acquire(name);
    await queueLength(t.direct.client, name, 2);
    t.proxy.cut();
    await first.release();
    const lock = await waiting;
    expect(await queueKeys(t.direct.client, name)).toEqual([lock.etcdKey]);
    await lock.release();
  });

  it('close ends in time', async () => {
    const lock = await t.remote.locks.acquire(uniqueName());
    const { signal } = lock;
    await cutOff();
    const startedAt = performance.now();
    await t.remote.locks.close({ timeoutMs: 500 });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(signal.aborted).toBe(true);
    await t.proxy.accept();
    await queueLength(t.direct.client, lock.key, 0);
  });
});
