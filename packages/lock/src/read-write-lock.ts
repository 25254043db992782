import type { WaitOptions } from '@coord/client';
import type { Lock } from './lock.js';

/** A lock that is shared with other readers, and with no writer. */
export interface ReadLock extends Lock {
  /**
   * Becomes a write lock if it is alone: nobody else holds the lock or waits for it. Never waits:
   * two readers that waited for each other to leave would wait for ever. On success this handle is
   * done with, and the write lock, with a higher token, takes its place.
   * @throws {LockConflictError} when it is not alone; the read lock stays held
   * @throws {TimeoutError} or {AbortedError} when etcd has not answered; the read lock stays held
   * @throws {LockNotHeldError} when it is not held
   */
  tryUpgrade(options?: WaitOptions): Promise<WriteLock>;
}

/** A lock that is shared with nobody. */
export interface WriteLock extends Lock {
  /**
   * Becomes a read lock in one step: nobody can write in between. Readers that wait are let in up to
   * the next writer. The token stays; this handle is done with, and the read lock takes its place.
   * @throws {TimeoutError} or {AbortedError} when etcd has not answered; then the lock is given up, and its signal aborts
   * @throws {LockNotHeldError} when it is not held
   */
  downgrade(options?: WaitOptions): Promise<ReadLock>;
}
