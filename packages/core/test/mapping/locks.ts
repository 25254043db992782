import { describe, expect, it } from 'vitest';
import { LockConflictError, LockExpiredError, LockNotHeldError } from '../../src/index.js';
import type { Stage } from './stage.js';

const TTL_MS = 10_000;

export function locksOfA(stage: Stage): void {
  describe('Acquire, AcquireReentrant, ReadLock, WriteLock', () => {
    it('Acquire', async () => {
      const name = stage.unique();
      await using _ = await stage.coordinator.lock.acquire(name, { ttlMs: TTL_MS });
      await expect(stage.other.lock.tryAcquire(name)).rejects.toBeInstanceOf(LockConflictError);
    });

    it('AcquireReentrant', async () => {
      const options = { ttlMs: TTL_MS, owner: 'order-17' };
      const name = stage.unique();
      await using outer = await stage.coordinator.lock.acquireReentrant(name, options);
      await using inner = await stage.coordinator.lock.acquireReentrant(name, options);
      expect(inner.fencingToken).toBe(outer.fencingToken);
    });

    it('AcquireReadLock', async () => {
      const name = stage.unique();
      await using one = await stage.coordinator.lock.acquireReadLock(name, { ttlMs: TTL_MS });
      await using two = await stage.other.lock.acquireReadLock(name);
      expect(await Promise.all([one.isHeld(), two.isHeld()])).toEqual([true, true]);
    });

    it('AcquireWriteLock', async () => {
      const name = stage.unique();
      await using _ = await stage.coordinator.lock.acquireWriteLock(name, { ttlMs: TTL_MS });
      await expect(stage.other.lock.tryAcquireWriteLock(name)).rejects.toBeInstanceOf(LockConflictError);
    });
  });

  describe('Release, Renew(ttl), IsHeld, Key, TTL, AcquireCount', () => {
    it('Lock.Release', async () => {
      const name = stage.unique();
      await (await stage.coordinator.lock.acquire(name)).release();
      await using next = await stage.other.lock.tryAcquire(name);
      expect(await next.isHeld()).toBe(true);
    });

    it('Lock.Renew(ttl)', async () => {
      await using lock = await stage.coordinator.lock.acquire(stage.unique(), { ttlMs: TTL_MS });
      expect(await lock.renew(60_000)).toBe(true);
      expect(await lock.ttl()).toBeGreaterThan(TTL_MS);
    });

    it('Lock.IsHeld', async () => {
      const lock = await stage.coordinator.lock.acquire(stage.unique());
      expect(await lock.isHeld()).toBe(true);
      await lock.release();
      expect(await lock.isHeld()).toBe(false);
    });

    it('Lock.Key', async () => {
      const name = stage.unique();
      await using lock = await stage.coordinator.lock.acquire(name);
      expect(lock.key).toBe(name);
      expect(lock.etcdKey.startsWith(`/locks/${name}/`)).toBe(true);
    });

    it('Lock.TTL', async () => {
      await using lock = await stage.coordinator.lock.acquire(stage.unique(), { ttlMs: TTL_MS });
      expect(await lock.ttl()).toBeGreaterThan(0);
      expect(await lock.ttl()).toBeLessThanOrEqual(TTL_MS);
    });

    it('ReentrantLock.AcquireCount, Release', async () => {
      const name = stage.unique();
      const outer = await stage.coordinator.lock.acquireReentrant(name);
      const inner = await outer.reenter();
      expect(outer.acquireCount).toBe(2);
      await inner.release();
      expect(outer.acquireCount).toBe(1);
      expect(await outer.isHeld()).toBe(true);
      await outer.release();
      expect(outer.acquireCount).toBe(0);
      await using next = await stage.other.lock.tryAcquire(name);
      expect(await next.isHeld()).toBe(true);
    });
  });
}

export function locksOfB(stage: Stage): void {
  describe('Acquire, TryAcquire', () => {
    it('Acquire (waits)', async () => {
      const name = stage.unique();
      const held = await stage.coordinator.lock.acquire(name, { ttlMs: TTL_MS });
      const waiting = stage.other.lock.acquire(name, { ttlMs: TTL_MS });
      await held.release();
      await using next = await waiting;
      expect(next.fencingToken).toBeGreaterThan(held.fencingToken);
    });

    it('TryAcquire (does not wait)', async () => {
      const name = stage.unique();
      await using lock = await stage.coordinator.lock.tryAcquire(name, { ttlMs: TTL_MS });
      await expect(stage.other.lock.tryAcquire(name)).rejects.toMatchObject({
        holder: { fencingToken: lock.fencingToken },
      });
    });
  });

  describe('Lock.Unlock, TTL, Key, Renew, IsExpired', () => {
    it('Lock.Unlock', async () => {
      const lock = await stage.coordinator.lock.acquire(stage.unique());
      await lock.unlock();
      expect(await stage.other.client.kv.get(lock.etcdKey)).toBeUndefined();
    });

    it('Lock.TTL, Key', async () => {
      const name = stage.unique();
      await using lock = await stage.coordinator.lock.acquire(name, { ttlMs: TTL_MS });
      expect(lock.key).toBe(name);
      expect(await lock.ttl()).toBeGreaterThan(0);
    });

    it('Lock.Renew', async () => {
      const lock = await stage.coordinator.lock.acquire(stage.unique());
      expect(await lock.renew()).toBe(true);
      await lock.unlock();
      expect(await lock.renew()).toBe(false);
    });

    it('Lock.IsExpired', async () => {
      const lock = await stage.coordinator.lock.acquire(stage.unique());
      expect(await lock.isExpired()).toBe(false);
      await stage.other.lock.forceRelease(lock.key, lock.fencingToken);
      expect(await lock.isExpired()).toBe(true);
    });
  });

  describe('ErrLockExpired, NotHeld, Conflict', () => {
    it('ErrLockExpired', async () => {
      const lock = await stage.coordinator.lock.acquire(stage.unique());
      const { signal } = lock;
      const lost = new Promise((resolve) => signal.addEventListener('abort', resolve));
      await stage.other.lock.forceRelease(lock.key, lock.fencingToken);
      await lost;
      expect(signal.reason).toBeInstanceOf(LockExpiredError);
      expect(() => lock.assertHeld()).toThrow(LockExpiredError);
    });

    it('ErrLockNotHeld', async () => {
      const lock = await stage.coordinator.lock.acquire(stage.unique());
      await stage.other.lock.forceRelease(lock.key, lock.fencingToken);
      await expect(lock.unlock()).rejects.toBeInstanceOf(LockNotHeldError);
    });

    it('ErrLockConflict', async () => {
      const name = stage.unique();
      await using _ = await stage.coordinator.lock.acquire(name);
      await expect(stage.other.lock.tryAcquire(name)).rejects.toBeInstanceOf(LockConflictError);
    });
  });
}
