import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createLocks, LockConflictError } from '../src/index.js';
import { isSettled, party, queueKeys, queueLength, rejection, uniqueName } from './support.js';

let etcd: EtcdServer;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());

const open = () => party(etcd.connectOptions);

describe('a nested acquire of the same lock inside withLock', () => {
  it('is refused at once, and says why and what to do', async () => {
    const name = uniqueName();
    const { locks, client } = await open();
    await locks.withLock(name, async (lock) => {
      const error = await rejection(locks.acquire(name));
      if (!(error instanceof LockConflictError)) throw error;
      expect(error).toMatchObject({ isSelfDeadlock: true, key: name });
      expect(error.holder?.fencingToken).toBe(lock.fencingToken);
      expect(error.message).toContain(`token ${lock.fencingToken}`);
      expect(error.message).toContain('deadlock');
      expect(error.message).toContain('allowNested');
      expect(await queueKeys(client, name)).toEqual([lock.etcdKey]);
    });
  });

  it('is refused through other locks, by other createLocks of the client, for one of many names, and in withLock', async () => {
    const [name, other] = [uniqueName(), uniqueName()];
    const { locks, client } = await open();
    const second = createLocks(client);
    onTestFinished(() => second.close());
    await locks.withLock(name, () =>
      locks.withLock(other, async () => {
        for (const attempt of [
          locks.acquire(name),
          second.acquire(name),
          locks.acquire(other),
          locks.acquireAll([uniqueName(), name]),
          locks.withLock(name, () => undefined),
        ]) {
          expect(await rejection(attempt)).toMatchObject({ name: 'LockConflictError', isSelfDeadlock: true });
        }
      }),
    );
  });

  it('waits with allowNested', async () => {
    const name = uniqueName();
    const { locks } = await open();
    let waiting: Promise<{ release(): Promise<void> }> | undefined;
    await locks.withLock(name, async () => {
      waiting = locks.acquire(name, { allowNested: true });
      expect(await isSettled(waiting)).toBe(false);
    });
    await (await waiting)?.release();
  });

  it('is an ordinary conflict with tryAcquire, which never waits', async () => {
    const name = uniqueName();
    const { locks } = await open();
    await locks.withLock(name, async () => {
      expect(await rejection(locks.tryAcquire(name))).toMatchObject({
        name: 'LockConflictError',
        isSelfDeadlock: false,
      });
    });
  });
});

describe('what is no deadlock with itself is not reported', () => {
  it('a task started inside that acquires after the function has ended', async () => {
    const name = uniqueName();
    const { locks } = await open();
    let start = () => {};
    const started = new Promise<void>((resolve) => {
      start = resolve;
    });
    let task: Promise<void> | undefined;
    await locks.withLock(name, () => {
      task = started.then(async () => (await locks.acquire(name)).release());
    });
    start();
    await task;
  });

  it('siblings that want the same lock', async () => {
    const [name, outer] = [uniqueName(), uniqueName()];
    const { locks } = await open();
    let inside = 0;
    await locks.withLock(outer, () =>
      Promise.all(
        [1, 2, 3].map(() =>
          locks.withLock(name, async () => {
            inside += 1;
            expect(inside).toBe(1);
            await Promise.resolve();
            inside -= 1;
          }),
        ),
      ),
    );
  });

  it('callers outside, while a function inside holds it', async () => {
    const name = uniqueName();
    const { locks } = await open();
    let isInside = () => {};
    const inside = new Promise<void>((resolve) => {
      isInside = resolve;
    });
    let leave = () => {};
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    const holding = locks.withLock(name, () => {
      isInside();
      return left;
    });
    await inside;
    const waiting = locks.acquire(name);
    expect(await isSettled(waiting)).toBe(false);
    leave();
    await holding;
    await (await waiting).release();
  });

  it('after the lock was released inside, or lost', async () => {
    const [name, lost] = [uniqueName(), uniqueName()];
    const { locks, client } = await open();
    await locks.withLock(name, async (lock) => {
      await lock.release();
      await (await locks.acquire(name)).release();
    });
    await locks.withLock(lost, async (lock) => {
      await client.kv.delete(lock.etcdKey);
      expect(await lock.isHeld()).toBe(false);
      await (await locks.acquire(lost)).release();
    });
  });

  it('another kind of lock, another name, and another client', async () => {
    const name = uniqueName();
    const [{ locks, client }, other] = await Promise.all([open(), open()]);
    await locks.withLock(name, async () => {
      await (await locks.acquireWriteLock(name)).release();
      await (await locks.acquire(`${name}/b`)).release();
      const abort = new AbortController();
      const waiting = rejection(other.locks.acquire(name, { signal: abort.signal }));
      await queueLength(client, name, 2);
      abort.abort();
      await waiting;
    });
  });
});
