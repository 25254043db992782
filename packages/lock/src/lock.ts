import type { CallOptions, TxnRequest, TxnResult, WaitOptions } from '@coord/client';

/**
 * A lock that is held, and renewed for as long as it is.
 *
 * Time alone cannot protect a resource: a paused process may wake up after its lock has gone to
 * another. Give `fencingToken` to the resource and let it refuse older ones, or write through `txn`.
 */
export interface Lock extends AsyncDisposable {
  /** The lock's name. */
  readonly key: string;
  /** Our key in etcd. */
  readonly etcdKey: string;
  /** Rises with each grant of this name: the create revision of our key. */
  readonly fencingToken: bigint;
  /** Aborts with a `LockExpiredError` when the lock is lost; not on release. */
  readonly signal: AbortSignal;
  /**
   * Gives the lock up. Again after success: resolves. While etcd is away it goes on in the
   * background, whatever becomes of this call, until etcd answers or the lease has ended.
   * @param options how long to wait for it; `timeoutMs` defaults to the client's `requestTimeoutMs`
   * @throws {LockNotHeldError} when it was lost before
   * @throws {TimeoutError} when etcd has not confirmed in time (`outcome: 'unknown'`)
   */
  release(options?: WaitOptions): Promise<void>;
  /** The same as `release`. */
  unlock(options?: WaitOptions): Promise<void>;
  /**
   * Extends the lock now, on top of the automatic renewal.
   * @param ttlMs a new time to live from here on; place and token stay the same
   * @returns false only when the lock is lost (or released)
   */
  renew(ttlMs?: number, options?: WaitOptions): Promise<boolean>;
  /** Asks etcd whether the lock is held. @throws {ConnectionError} when etcd cannot be asked */
  isHeld(options?: WaitOptions): Promise<boolean>;
  /** Asks etcd whether the lock was lost; false after a release. */
  isExpired(options?: WaitOptions): Promise<boolean>;
  /** For how many milliseconds the lock is certainly ours, by the local clock; 0 when it is not held. */
  ttl(): Promise<number>;
  /**
   * Checks by the local clock, right even after the event loop stood still.
   * @throws {LockExpiredError} when it is lost
   * @throws {LockNotHeldError} when it was released
   */
  assertHeld(): void;
  /**
   * An etcd transaction that commits only while this lock is held.
   * @throws {LockNotHeldError} when it is not; then neither branch was applied
   */
  txn(request: TxnRequest, options?: CallOptions): Promise<TxnResult>;
  /** With the token as a decimal string. */
  toJSON(): Record<string, unknown>;
}
