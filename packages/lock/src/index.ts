export type { DistributedLock } from './distributed-lock.js';
export {
  LockConflictError,
  LockExpiredError,
  LockNotHeldError,
  LockTimeoutError,
  type QueueView,
} from './errors.js';
export type { MultiLock } from './held-multi-lock.js';
export type { LockHolder } from './holder.js';
export type { Lock } from './lock.js';
export type {
  ForceReleaseOptions,
  ListedLock,
  LockInspection,
  LockKind,
  LockQueue,
  PermitHolder,
  ReadWriteHolder,
} from './lock-inspection.js';
export { createLocks } from './locks.js';
export type { AcquireOptions, DistributedLockConfig } from './options.js';
export type { ReadLock, WriteLock } from './read-write-lock.js';
export type { AcquireReentrantOptions, ReentrantLock } from './reentrant-lock.js';
export type { Permit, Semaphore, SemaphoreOptions } from './semaphore.js';
