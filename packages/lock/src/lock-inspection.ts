import type { WaitOptions } from '@coord/client';
import type { LockHolder } from './holder.js';

/** Which of the locks of a name: they are separate. */
export type LockKind = 'mutex' | 'read-write' | 'semaphore';

export const LOCK_KINDS: readonly LockKind[] = ['mutex', 'read-write', 'semaphore'];

export interface ForceReleaseOptions extends WaitOptions {
  /** Which of the locks of the name; only needed where the same token is one of several. */
  readonly kind?: LockKind | undefined;
}

/** One who reads or writes, or waits to. */
export interface ReadWriteHolder extends LockHolder {
  readonly mode: 'read' | 'write';
}

/** One who holds permits, or waits for them. */
export interface PermitHolder extends LockHolder {
  readonly weight: number;
}

/** Who holds a lock and who waits for it, both in the order of the queue. */
export interface LockQueue<Holder extends LockHolder = LockHolder> {
  readonly holders: readonly Holder[];
  readonly waiters: readonly Holder[];
}

/** All that etcd has about the locks of a name, at one revision. */
export interface LockInspection {
  /** Who holds the mutex: the lock of `acquire`, `acquireReentrant`, `withLock` and `acquireAll`. */
  readonly holder?: LockHolder;
  /** Who waits for the mutex, the next one first. */
  readonly waiters: readonly LockHolder[];
  /** The read/write lock; absent while nobody holds it or waits for it. */
  readonly readWrite?: LockQueue<ReadWriteHolder>;
  /** The semaphore; absent while nobody has used it. */
  readonly semaphore?: LockQueue<PermitHolder> & { readonly permits: number | undefined };
}

/** A lock that somebody holds. */
export interface ListedLock extends LockQueue {
  readonly name: string;
  readonly kind: LockKind;
}
