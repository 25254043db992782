import { AbortedError, ValidationError } from '@coord/client';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createLocks,
  LockExpiredError,
  LockNotHeldError,
  LockTimeoutError,
  type ReentrantLock,
} from '../src/index.js';
import { aborted, isSettled, party, queueKeys, queueLength, rejection, uniqueName } from './support.js';

let etcd: EtcdServer;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());

const owner = 'order-17';

describe('a reentrant lock', () => {
  it('is entered again by its owner at once, with the same token and key', async () => {
    const { locks, client } = await party(etcd.connectOptions);
    const name = uniqueName();
    const outer = await locks.acquireReentrant(name, { owner });
    const inner = await locks.acquireReentrant(name, { owner });
    const innermost = await inner.reenter();
    expect([inner.fencingToken, innermost.fencingToken]).toEqual([outer.fencingToken, outer.fencingToken]);
    expect(outer.acquireCount).toBe(3);
    expect(await queueKeys(client, name)).toEqual([outer.etcdKey]);
    expect(JSON.parse(JSON.stringify(inner))).toMatchObject({ key: name, acquireCount: 3 });
  });

  it('is free when every entry has been released, in whatever order, each counted once', async () => {
    const { locks, client } = await party(etcd.connectOptions);
    const name = uniqueName();
    const outer = await locks.acquireReentrant(name, { owner });
    const inner = await outer.reenter();
    await outer.release();
    await outer.release();
    expect(inner.acquireCount).toBe(1);
    inner.assertHeld();
    expect(await inner.isHeld()).toBe(true);
    expect(await outer.isHeld()).toBe(false);
    expect(await outer.ttl()).toBe(0);
    expect(() => outer.assertHeld()).toThrow(LockNotHeldError);
    expect(await rejection(outer.reenter())).toBeInstanceOf(LockNotHeldError);
    expect(await rejection(outer.txn({}))).toBeInstanceOf(LockNotHeldError);
    await inner.release();
    await inner.release();
    expect(await queueKeys(client, name)).toEqual([]);
    expect(inner.acquireCount).toBe(0);
    expect(inner.signal.aborted).toBe(false);
  });

  it('keeps out other owners, other clients, and those without an owner', async () => {
    const [one, two] = [await party(etcd.connectOptions), await party(etcd.connectOptions)];
    const name = uniqueName();
    const held = await one.locks.acquireReentrant(name, { owner });
    const others = [
      one.locks.acquireReentrant(name, { owner: 'order-18' }),
      one.locks.acquireReentrant(name),
      two.locks.acquireReentrant(name, { owner }),
      one.locks.acquire(name),
    ];
    for (const other of others) expect(await isSettled(other)).toBe(false);
    await held.release();
    // In whatever order the two clients have queued up: each lets the next one in.
    const tokens: bigint[] = [];
    await Promise.all(
      others.map(async (other) => {
        const lock = await other;
        tokens.push(lock.fencingToken);
        await lock.release();
      }),
    );
    expect(tokens).toEqual([...tokens].sort((a, b) => (a < b ? -1 : 1)));
    expect(new Set([held.fencingToken, ...tokens]).size).toBe(5);
  });

  it('knows its owner through any createLocks of the client', async () => {
    const { locks, client } = await party(etcd.connectOptions);
    const name = uniqueName();
    const held = await locks.acquireReentrant(name, { owner });
    await using other = createLocks(client);
    const again = await other.acquireReentrant(name, { owner });
    expect(again.fencingToken).toBe(held.fencingToken);
  });

  it('is one place in the queue for all who wait as one owner, and each of them gives up alone', async () => {
    const [holder, { locks, client }] = [await party(etcd.connectOptions), await party(etcd.connectOptions)];
    const name = uniqueName();
    const held = await holder.locks.acquire(name);
    const giveUp = new AbortController();
    const first = locks.acquireReentrant(name, { owner, signal: giveUp.signal });
    const second = locks.acquireReentrant(name, { owner });
    const third = rejection(locks.acquireReentrant(name, { owner, timeoutMs: 200 }));
    await queueLength(client, name, 2);
    giveUp.abort();
    expect(await rejection(first)).toBeInstanceOf(AbortedError);
    expect(await third).toMatchObject({
      name: 'LockTimeoutError',
      holder: { fencingToken: held.fencingToken },
    });
    expect(await queueKeys(client, name)).toHaveLength(2);
    await held.release();
    const lock = await second;
    expect(lock.acquireCount).toBe(1);
    await lock.release();
    await queueLength(client, name, 0);
  });

  it('leaves nothing behind when all who wait as one owner give up', async () => {
    const [holder, { locks, client }] = [await party(etcd.connectOptions), await party(etcd.connectOptions)];
    const name = uniqueName();
    const held = await holder.locks.acquire(name);
    const waiting = [50, 100, 150].map((timeoutMs) => locks.acquireReentrant(name, { owner, timeoutMs }));
    for (const each of waiting) expect(await rejection(each)).toBeInstanceOf(LockTimeoutError);
    await queueLength(client, name, 1);
    await held.release();
    const fresh = await locks.acquireReentrant(name, { owner });
    await fresh.release();
    await queueLength(client, name, 0);
  });

  it('leaves nothing behind at whichever moment an only waiter aborts', async () => {
    const { locks, client } = await party(etcd.connectOptions);
    const name = uniqueName();
    for (let turns = 0; turns < 30; turns++) {
      const giveUp = new AbortController();
      const entering = locks.acquireReentrant(name, { owner, signal: giveUp.signal }).then(
        (lock) => lock.release(),
        (error: unknown) => expect(error).toBeInstanceOf(AbortedError),
      );
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      giveUp.abort();
      await entering;
    }
    await queueLength(client, name, 0);
    const again = await locks.acquireReentrant(name, { owner });
    expect(again.acquireCount).toBe(1);
  });

  it('is lost for all entries at once; then it is not entered, but acquired anew', async () => {
    const { locks, client } = await party(etcd.connectOptions);
    const name = uniqueName();
    const outer = await locks.acquireReentrant(name, { owner });
    const inner = await outer.reenter();
    const lost = aborted(inner.signal);
    await client.kv.delete(outer.etcdKey);
    expect(await lost).toBeInstanceOf(LockExpiredError);
    expect(await rejection(outer.reenter())).toBeInstanceOf(LockExpiredError);
    expect(outer.acquireCount).toBe(0);
    const anew = await locks.acquireReentrant(name, { owner });
    expect(anew.fencingToken).toBeGreaterThan(outer.fencingToken);
    expect(await rejection(inner.release())).toBeInstanceOf(LockNotHeldError);
    expect(await rejection(outer.release())).toBeInstanceOf(LockNotHeldError);
    anew.assertHeld();
    expect(anew.acquireCount).toBe(1);
  });

  it('asks the clock, not a timer: after a stall of the event loop nobody enters what may be lost', async () => {
    const { locks } = await party(etcd.connectOptions);
    const outer = await locks.acquireReentrant(uniqueName(), { owner, ttlMs: 2_000 });
    const until = performance.now() + 2_100;
    while (performance.now() < until) {
      // Nothing else runs: no keepalive, no timer.
    }
    const attempts = [rejection(outer.reenter()), locks.acquireReentrant(outer.key, { owner })] as const;
    expect(await attempts[0]).toBeInstanceOf(LockExpiredError);
    expect((await attempts[1]).fencingToken).toBeGreaterThan(outer.fencingToken);
  });

  it('keeps others out, however often an owner enters', async () => {
    const name = uniqueName();
    const parties = await Promise.all([party(etcd.connectOptions), party(etcd.connectOptions)]);
    let inside: string | undefined;
    const nest = async (lock: ReentrantLock, depth: number): Promise<void> => {
      if (depth === 0) return;
      await using inner = await lock.reenter();
      await parties[0].client.kv.get('anything');
      await nest(inner, depth - 1);
    };
    await Promise.all(
      parties.flatMap(({ locks }, i) =>
        ['ana', 'ben', 'ana', 'ben', 'ana'].map(async (who) => {
          await using lock = await locks.acquireReentrant(name, { owner: who });
          expect(inside === undefined || inside === `${i} ${who}`).toBe(true);
          inside = `${i} ${who}`;
          await nest(lock, 3);
          if (lock.acquireCount === 1) inside = undefined;
        }),
      ),
    );
    await queueLength(parties[0].client, name, 0);
  });

  it('guards transactions and is renewed by every entry', async () => {
    const { locks, client } = await party(etcd.connectOptions);
    const name = uniqueName();
    await using outer = await locks.acquireReentrant(name);
    await using inner = await outer.reenter();
    const key = `/data/${name}`;
    expect(await inner.txn({ success: [{ put: { key, value: '1' } }] })).toMatchObject({ succeeded: true });
    expect(await inner.renew(20_000)).toBe(true);
    expect(await outer.ttl()).toBeGreaterThan(10_000);
    expect((await client.kv.get(key))?.text()).toBe('1');
  });

  it('refuses bad owners, and everybody when it is turned off', async () => {
    const { locks, client } = await party(etcd.connectOptions, { enableReentrant: false });
    const off = await rejection(locks.acquireReentrant('a', { owner }));
    expect(off).toMatchObject({ name: 'ValidationError', issues: [{ path: 'enableReentrant' }] });
    const on = createLocks(client);
    for (const notAnOwner of ['', 1, null, {}, 'x'.repeat(513)]) {
      const error = await rejection(Reflect.apply(on.acquireReentrant, on, ['a', { owner: notAnOwner }]));
      expect(error).toBeInstanceOf(ValidationError);
    }
    const bad = [client, { enableReentrant: 1 }];
    expect(() => Reflect.apply(createLocks, undefined, bad)).toThrow(ValidationError);
    await on.close();
  });
});
