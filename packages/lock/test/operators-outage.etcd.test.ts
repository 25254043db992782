import { NotFoundError, TimeoutError } from '@coord/client';
import { eventually } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import { queueLength, rejection, uniqueName } from './support.js';
import { useTwoLines } from './two-lines.js';

const t = useTwoLines({ defaultTtlMs: 60_000 });

describe('forceRelease', () => {
  it('whose answer was lost has happened, and says so', async () => {
    const name = uniqueName();
    const lock = await t.direct.locks.acquire(name);
    const waiting = t.direct.locks.acquire(name);
    // It looks before it writes: only the answer to what it writes is to be lost.
    const { kv } = t.remote.client;
    const { txn } = kv;
    let calls = 0;
    kv.txn = (...call) => {
      calls += 1;
      if (calls === 2) t.proxy.blackholeOpen('toClient');
      return txn.apply(kv, call);
    };
    await t.remote.locks.forceRelease(name, lock.fencingToken);
    t.proxy.heal();
    expect(calls).toBe(3); // a look, a release, and one more that found it gone
    const next = await waiting;
    expect(next.fencingToken).toBeGreaterThan(lock.fencingToken);
    expect(await rejection(t.remote.locks.forceRelease(name, lock.fencingToken))).toBeInstanceOf(
      NotFoundError,
    );
    expect(await next.isHeld()).toBe(true);
    await next.release();
    await queueLength(t.direct.client, name, 0);
  });

  it('without an answer ends in time, and does not claim that nothing happened', async () => {
    const name = uniqueName();
    const lock = await t.direct.locks.acquire(name);
    const { kv } = t.remote.client;
    const { txn } = kv;
    let calls = 0;
    kv.txn = (...call) => {
      calls += 1;
      if (calls === 2) t.proxy.blackhole('toClient');
      return txn.apply(kv, call);
    };
    const error = await rejection(t.remote.locks.forceRelease(name, lock.fencingToken, { timeoutMs: 1_500 }));
    if (!(error instanceof TimeoutError)) throw error;
    expect(error.outcome).toBe('unknown');
    await queueLength(t.direct.client, name, 0);
  });
});

describe('setPermits', () => {
  it('whose answer was lost has happened, and nothing that was set since is undone', async () => {
    const name = uniqueName();
    const semaphore = t.remote.locks.semaphore(name, { permits: 1 });
    await (await semaphore.acquire()).release();
    const limit = async () => (await t.direct.client.kv.get(`/coord/locks/sem/${name}/limit`))?.text();
    t.proxy.blackholeOpen('toClient');
    await semaphore.setPermits(2);
    expect(await limit()).toBe('2');
    await t.direct.locks.semaphore(name, { permits: 2 }).setPermits(3);
    t.proxy.heal(); // the late copy of the first attempt arrives now, if there is one
    await (await t.direct.locks.semaphore(name, { permits: 3 }).acquire(3)).release();
    await eventually(async () => expect(await limit()).toBe('3'));
  });
});
