import type { WaitOptions } from '@coord/client';
import type { Lock } from './lock.js';
import type { AcquireOptions } from './options.js';

export interface AcquireReentrantOptions extends AcquireOptions {
  /**
   * Who asks: whoever gives the same text on the same client re-enters the hold instead of waiting for
   * it. Without it only `reenter` does. At most 512 bytes.
   */
  readonly owner?: string | undefined;
}

/**
 * One entry into a lock that its owner may enter several times. The lock is free when each entry
 * has been released, in whatever order; all of them share key, token, time to live and loss.
 */
export interface ReentrantLock extends Lock {
  /** How many entries into this hold are open; 0 when it is not held. */
  readonly acquireCount: number;
  /**
   * Enters once more, without asking etcd: the token stays the same. Release the result, too.
   * @throws {LockExpiredError} when the lock is lost
   * @throws {LockNotHeldError} when this entry was released
   */
  reenter(): Promise<ReentrantLock>;
  /**
   * Leaves this entry; the last one to leave releases the lock.
   * @throws the same as `Lock.release`
   */
  release(options?: WaitOptions): Promise<void>;
}
