import { AsyncLocalStorage } from 'node:async_hooks';
import type { CoordClient } from '@coord/client';
import { LockConflictError } from './errors.js';
import { holderOf } from './holder.js';
import type { Lock } from './lock.js';

/** A lock held around a function by `withLock`. */
interface Surrounding {
  readonly client: CoordClient;
  /** The lock's queue in etcd: locks of one name may be made by several `createLocks`. */
  readonly queue: string;
  readonly lock: Lock;
  readonly outer: Surrounding | undefined;
}

/**
 * What surrounds the code that runs now. It is only used to report an acquisition that would wait
 * for itself, never to let one in: whatever a function starts inherits this, also what it does not wait for.
 */
const surroundings = new AsyncLocalStorage<Surrounding>();

/** Runs a function around which the lock is held. */
export function runHolding<T>(
  held: Omit<Surrounding, 'outer'>,
  fn: (lock: Lock) => T | Promise<T>,
): T | Promise<T> {
  return surroundings.run({ ...held, outer: surroundings.getStore() }, fn, held.lock);
}

/**
 * Refuses to wait for a lock that is held around the code that asks for it. A task that outlives
 * the function it was started in is not refused: it waits for nobody but the release.
 * @throws {LockConflictError} that says so
 */
export function assertNotOwnHold(client: CoordClient, queue: string, name: string): void {
  for (let each = surroundings.getStore(); each !== undefined; each = each.outer) {
    if (each.client !== client || each.queue !== queue || !isHeld(each.lock)) continue;
    const { etcdKey, fencingToken } = each.lock;
    const holder = holderOf({ key: etcdKey, createRevision: fencingToken, value: new Uint8Array() });
    throw new LockConflictError(name, holder, { isSelfDeadlock: true });
  }
}

/** Not if it was released inside the function, or lost. */
function isHeld(lock: Lock): boolean {
  try {
    lock.assertHeld();
    return true;
  } catch {
    return false;
  }
}
