import type { CallOptions, TxnRequest, TxnResult, WaitOptions } from '@coord/client';
import type { AcquireOptions } from './options.js';

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
  toJSON(): Record<string, unknown>;
}

/** Locks that are fair over all processes: whoever came first is served first. */
export interface DistributedLock extends AsyncDisposable {
  /**
   * Waits in FIFO order for the lock; without limit by default, also while etcd is out of reach.
   * @throws {LockTimeoutError} when `timeoutMs` has passed
   * @throws {AbortedError} when the signal fires
   * @throws {LockExpiredError} when the place in the queue is lost: its lease ran out, or somebody deleted its key
   * @throws {ValidationError} for a bad name or option, before any I/O
   */
  acquire(key: string, options?: AcquireOptions): Promise<Lock>;
  /**
   * Takes the lock only if it is free.
   * @throws {LockConflictError} when it is taken, naming the holder
   * @throws {ConnectionError} or {TimeoutError} when etcd cannot be reached within `timeoutMs` (the client's `requestTimeoutMs`)
   */
  tryAcquire(key: string, options?: AcquireOptions): Promise<Lock>;
  /**
   * Runs `fn` while holding the lock, and releases it afterwards, whatever happens. The result is
   * `fn`'s own: a failed release is logged, never thrown. Stop when `lock.signal` aborts.
   */
  withLock<T>(key: string, fn: (lock: Lock) => T | Promise<T>): Promise<T>;
  withLock<T>(key: string, options: AcquireOptions, fn: (lock: Lock) => T | Promise<T>): Promise<T>;
  /**
   * Ends every wait with a `ClosedError`, and releases every lock still held, whose signals abort.
   * Waits for it at most `timeoutMs` (the client's `requestTimeoutMs`); what etcd has not confirmed
   * by then goes on until it answers, or until the leases end.
   */
  close(options?: WaitOptions): Promise<void>;
}
