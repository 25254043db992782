export {
  LockConflictError,
  LockExpiredError,
  LockNotHeldError,
  LockTimeoutError,
  type QueueView,
} from './errors.js';
export type { LockHolder } from './holder.js';
export type { DistributedLock, Lock } from './lock.js';
export { createLocks } from './locks.js';
export type { AcquireOptions, DistributedLockConfig } from './options.js';
