import type { WaitOptions } from '@coord/client';
import type { Lock } from './lock.js';
import type { AcquireOptions } from './options.js';

/** How large a semaphore is. */
export interface SemaphoreOptions {
  /**
   * How many permits there are: a whole number from 1 to 2^31 − 1. The first to use the semaphore
   * writes it to etcd, and all who use it must give the same.
   */
  readonly permits: number;
}

/** Some of a semaphore's permits, held as a lock is: with a token, a signal, and guarded transactions. */
export interface Permit extends Lock {
  /** How many permits. */
  readonly weight: number;
}

/** At most so many at once, over all processes, in the order of asking. */
export interface Semaphore {
  readonly name: string;
  /** How many permits there are, as far as this object was told. */
  readonly permits: number;
  /**
   * Waits for permits in strict FIFO order: a request for many is not passed by requests for few.
   * @param weight how many; a whole number from 1 to `permits`. @default 1
   * @throws {ConflictError} when etcd has another number of permits than this object
   * @throws the same as `DistributedLock.acquire`
   */
  acquire(weight?: number, options?: AcquireOptions): Promise<Permit>;
  /**
   * Takes permits only if there are as many free, and nobody waits.
   * @throws {LockConflictError} when there are not
   * @throws {ConflictError} when etcd has another number of permits than this object
   * @throws the same as `DistributedLock.tryAcquire`
   */
  tryAcquire(weight?: number, options?: AcquireOptions): Promise<Permit>;
  /**
   * Changes the number of permits in etcd and of this object. Those who wait notice at once; nobody
   * who holds a permit loses it. Others who go on asking by the old number get a `ConflictError`.
   */
  setPermits(permits: number, options?: WaitOptions): Promise<void>;
}
