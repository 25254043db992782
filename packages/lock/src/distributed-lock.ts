import type { WaitOptions } from '@coord/client';
import type { MultiLock } from './held-multi-lock.js';
import type { Lock } from './lock.js';
import type { ForceReleaseOptions, ListedLock, LockInspection } from './lock-inspection.js';
import type { AcquireOptions } from './options.js';
import type { ReadLock, WriteLock } from './read-write-lock.js';
import type { AcquireReentrantOptions, ReentrantLock } from './reentrant-lock.js';
import type { Semaphore, SemaphoreOptions } from './semaphore.js';

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
   * Waits in FIFO order for the lock of the name, the same as `acquire`'s, which may then be entered
   * again: by `lock.reenter()`, or by acquiring it here, on the same client, as the same `owner`. The
   * token does not change, and the lock is free when every entry has been released.
   *
   * Several who ask as one owner while it is not held yet share one place in the queue, by the
   * options of the first; each gives up alone. After a loss the owner acquires anew, with a new token.
   * @example
   * const outer = await locks.acquireReentrant('stock', { owner: 'order-17' });
   * const inner = await locks.acquireReentrant('stock', { owner: 'order-17' }); // at once
   * await inner.release(); // still held
   * await outer.release();
   * @throws the same as `acquire`
   * @throws {ValidationError} also with `enableReentrant: false`
   */
  acquireReentrant(key: string, options?: AcquireReentrantOptions): Promise<ReentrantLock>;
  /**
   * Waits in FIFO order for the lock, to hold it together with other readers. Nobody starves: a
   * reader waits for the writers that came before it, a writer for everybody who came before it.
   *
   * The read/write lock of a name and its mutex are separate locks.
   * @throws the same as `acquire`
   */
  acquireReadLock(key: string, options?: AcquireOptions): Promise<ReadLock>;
  /** Waits in FIFO order for the lock, to hold it alone. @throws the same as `acquire` */
  acquireWriteLock(key: string, options?: AcquireOptions): Promise<WriteLock>;
  /** Takes the read lock only if no writer holds it or waits for it. @throws the same as `tryAcquire` */
  tryAcquireReadLock(key: string, options?: AcquireOptions): Promise<ReadLock>;
  /** Takes the write lock only if nobody holds it or waits for it. @throws the same as `tryAcquire` */
  tryAcquireWriteLock(key: string, options?: AcquireOptions): Promise<WriteLock>;
  /**
   * Waits for the locks of several names, to hold all of them at once. It takes its place in all their
   * queues in one step: such requests never wait for each other in a circle, whatever their order of
   * names, and others of `acquire` take turns with them.
   * @param keys at most 100 names; one that is given twice counts once
   * @throws the same as `acquire`
   */
  acquireAll(keys: readonly string[], options?: AcquireOptions): Promise<MultiLock>;
  /** Takes the locks of several names only if all of them are free. @throws the same as `tryAcquire` */
  tryAcquireAll(keys: readonly string[], options?: AcquireOptions): Promise<MultiLock>;
  /**
   * A counting semaphore: at most `permits` at once, over all processes. Does no I/O by itself.
   * @throws {ValidationError} for a bad name or number
   */
  semaphore(name: string, options: SemaphoreOptions): Semaphore;
  /**
   * Runs `fn` while holding the lock, and releases it afterwards, whatever happens. The result is
   * `fn`'s own: a failed release is logged, never thrown. Stop when `lock.signal` aborts.
   *
   * To acquire the same lock again inside `fn`, on the same client, would wait for `fn` itself, for
   * ever: it is refused with a `LockConflictError` whose `isSelfDeadlock` is true. `allowNested` waits.
   */
  withLock<T>(key: string, fn: (lock: Lock) => T | Promise<T>): Promise<T>;
  /** The same with options. */
  withLock<T>(key: string, options: AcquireOptions, fn: (lock: Lock) => T | Promise<T>): Promise<T>;
  /**
   * Who holds the locks of a name and who waits, in order: host, process, purpose, since when. Those
   * who use `etcdctl lock` or Go say nothing of themselves and have only a key and a token.
   */
  inspect(key: string, options?: WaitOptions): Promise<LockInspection>;
  /** Every lock that somebody holds or waits for and whose name begins with `prefix`; by kind, then by name. */
  list(prefix?: string, options?: WaitOptions): Promise<ListedLock[]>;
  /**
   * Takes a lock away from its holder, or a place from one who waits: for operators. The holder is
   * told by its signal and must stop; the next one in the queue may hold the lock before it has, so
   * only writes guarded by the token are safe.
   * @param fencingToken whose, as `inspect` tells it: another's is never touched
   * @throws {NotFoundError} when nobody has this token (any more)
   * @throws {TimeoutError} when etcd has not confirmed within `timeoutMs` (the client's `requestTimeoutMs`); `outcome` says whether it may have been done
   * @throws {ValidationError} for a bad argument, or when the token is one of several kinds and `kind` is not given
   */
  forceRelease(key: string, fencingToken: bigint, options?: ForceReleaseOptions): Promise<void>;
  /**
   * Ends every wait with a `ClosedError`, and releases every lock still held, whose signals abort.
   * Waits for it at most `timeoutMs` (the client's `requestTimeoutMs`); what etcd has not confirmed
   * by then goes on until it answers, or until the leases end.
   */
  close(options?: WaitOptions): Promise<void>;
}
