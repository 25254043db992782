import { type CoordClient, ValidationError, type WaitOptions } from '@coord/client';
import { type Observer, show } from '@coord/client/internal';
import { Acquisitions } from './acquisitions.js';
import type { DistributedLock } from './distributed-lock.js';
import type { MultiLock } from './held-multi-lock.js';
import type { Lock } from './lock.js';
import { LockAdmin } from './lock-admin.js';
import type { ForceReleaseOptions, ListedLock, LockInspection } from './lock-inspection.js';
import { queuePrefix } from './lock-key.js';
import { ACQUIRE_REENTRANT, FORCE_RELEASE, INSPECT, LIST, WITH_LOCK } from './lock-operations.js';
import { createLockSupport, type LockSupport } from './lock-support.js';
import { MultiLocks } from './multi-locks.js';
import { Mutexes } from './mutexes.js';
import {
  type AcquireOptions,
  type DistributedLockConfig,
  type ResolvedLockConfig,
  resolveLockConfig,
} from './options.js';
import type { ReadLock, WriteLock } from './read-write-lock.js';
import { ReadWriteLocks } from './read-write-locks.js';
import type { AcquireReentrantOptions, ReentrantLock } from './reentrant-lock.js';
import { ReentrantLocks } from './reentrant-locks.js';
import { runHolding } from './self-deadlock.js';
import type { Semaphore, SemaphoreOptions } from './semaphore.js';
import { Semaphores } from './semaphores.js';

/**
 * Fair distributed locks on a client. Does no I/O by itself.
 *
 * @throws {ValidationError} naming every bad option
 * @example
 * ```ts
 * import { connect } from '@coord/client';
 * import { createLocks } from '@coord/lock';
 *
 * const client = await connect({ endpoints: ['127.0.0.1:2379'] });
 * const lock = await createLocks(client).acquire('nightly-report', { timeoutMs: 10_000 });
 * try {
 *   // Commits only while the lock is held; elsewhere pass on `lock.fencingToken` and `lock.signal`.
 *   await lock.txn({ success: [{ put: { key: '/reports/last', value: 'done' } }] });
 * } finally {
 *   await lock.release();
 *   await client.close();
 * }
 * ```
 */
export function createLocks(client: CoordClient, options?: DistributedLockConfig): DistributedLock {
  const config = resolveLockConfig(options);
  return new Locks(createLockSupport(client, config), config);
}

class Locks implements DistributedLock {
  readonly #client: CoordClient;
  readonly #config: ResolvedLockConfig;
  readonly #observer: Observer;
  readonly #acquisitions: Acquisitions;
  readonly #admin: LockAdmin;
  readonly #mutexes: Mutexes;
  readonly #reentrants: ReentrantLocks;
  readonly #semaphores: Semaphores;
  readonly #multis: MultiLocks;
  readonly #readWrites: ReadWriteLocks;

  constructor(support: LockSupport, config: ResolvedLockConfig) {
    this.#client = support.client;
    this.#observer = support.observer;
    this.#config = config;
    this.#acquisitions = new Acquisitions(support);
    this.#admin = new LockAdmin(support, config);
    this.#mutexes = new Mutexes(support, config, this.#acquisitions);
    this.#reentrants = new ReentrantLocks(support.client, config, this.#mutexes);
    this.#semaphores = new Semaphores(support, config, this.#acquisitions);
    this.#multis = new MultiLocks(support, config, this.#acquisitions);
    this.#readWrites = new ReadWriteLocks(support, config, this.#acquisitions);
  }

  acquire(key: string, options?: AcquireOptions): Promise<Lock> {
    return this.#mutexes.acquire(key, options);
  }

  tryAcquire(key: string, options?: AcquireOptions): Promise<Lock> {
    return this.#mutexes.tryAcquire(key, options);
  }

  acquireReentrant(key: string, options?: AcquireReentrantOptions): Promise<ReentrantLock> {
    const acquire = () => this.#reentrants.acquire(key, options);
    return this.#observer.observe(ACQUIRE_REENTRANT, { key }, acquire);
  }

  acquireReadLock(key: string, options?: AcquireOptions): Promise<ReadLock> {
    return this.#readWrites.acquireRead(key, options);
  }

  acquireWriteLock(key: string, options?: AcquireOptions): Promise<WriteLock> {
    return this.#readWrites.acquireWrite(key, options);
  }

  tryAcquireReadLock(key: string, options?: AcquireOptions): Promise<ReadLock> {
    return this.#readWrites.tryAcquireRead(key, options);
  }

  tryAcquireWriteLock(key: string, options?: AcquireOptions): Promise<WriteLock> {
    return this.#readWrites.tryAcquireWrite(key, options);
  }

  acquireAll(keys: readonly string[], options?: AcquireOptions): Promise<MultiLock> {
    return this.#multis.acquire(keys, options);
  }

  tryAcquireAll(keys: readonly string[], options?: AcquireOptions): Promise<MultiLock> {
    return this.#multis.tryAcquire(keys, options);
  }

  semaphore(name: string, options: SemaphoreOptions): Semaphore {
    return this.#semaphores.open(name, options);
  }

  async withLock<T>(
    key: string,
    ...args:
      | [fn: (lock: Lock) => T | Promise<T>]
      | [options: AcquireOptions, fn: (lock: Lock) => T | Promise<T>]
  ): Promise<T> {
    const [options, fn] = args.length === 1 ? [undefined, args[0]] : args;
    if (typeof fn !== 'function') {
      throw new ValidationError([{ path: 'fn', message: `must be a function, got ${show(fn)}` }]);
    }
    const name = typeof key === 'string' ? { key } : {};
    return await this.#observer.trace(WITH_LOCK, name, () => this.#withLock(key, options, fn));
  }

  async #withLock<T>(
    key: string,
    options: AcquireOptions | undefined,
    fn: (lock: Lock) => T | Promise<T>,
  ): Promise<T> {
    const lock = await this.acquire(key, options);
    try {
      return await runHolding({ client: this.#client, queue: queuePrefix(this.#config, key), lock }, fn);
    } finally {
      await lock[Symbol.asyncDispose]();
    }
  }

  inspect(key: string, options?: WaitOptions): Promise<LockInspection> {
    return this.#observer.observe(INSPECT, { key }, () => this.#admin.inspect(key, options));
  }

  list(prefix?: string, options?: WaitOptions): Promise<ListedLock[]> {
    const subject = { prefix: prefix ?? '' };
    return this.#observer.observe(LIST, subject, () => this.#admin.list(prefix, options));
  }

  forceRelease(key: string, fencingToken: bigint, options?: ForceReleaseOptions): Promise<void> {
    const force = () => this.#admin.forceRelease(key, fencingToken, options);
    return this.#observer.observe(FORCE_RELEASE, { key }, force);
  }

  close(options?: WaitOptions): Promise<void> {
    return this.#acquisitions.close(options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
