import type { Cancellation } from '@coord/client/internal';
import { waitForAnswer, waitInQueue } from './acquire-wait.js';
import { type AcquisitionRequest, acquireIfFree, acquireInTurn, type Progress } from './acquisition.js';
import type { Acquisitions } from './acquisitions.js';
import type { HeldLock } from './held-lock.js';
import { HeldReadLock, HeldWriteLock } from './held-read-write-lock.js';
import type { Grant } from './hold.js';
import { describeSelf } from './holder.js';
import { ACQUIRE, TRY_ACQUIRE } from './lock-operations.js';
import type { LockSupport } from './lock-support.js';
import { type AcquireOptions, checkAcquire, type ResolvedLockConfig } from './options.js';
import { ReadWriteContender } from './read-write-contender.js';
import type { ReadLock, WriteLock } from './read-write-lock.js';

/** The read/write locks of one `createLocks`. */
export class ReadWriteLocks {
  readonly #support: LockSupport;
  readonly #config: ResolvedLockConfig;
  readonly #acquisitions: Acquisitions;

  constructor(support: LockSupport, config: ResolvedLockConfig, acquisitions: Acquisitions) {
    this.#support = support;
    this.#config = config;
    this.#acquisitions = acquisitions;
  }

  acquireRead(key: string, options?: AcquireOptions): Promise<ReadLock> {
    return this.#acquire(key, options, 'read', this.#makeRead);
  }

  acquireWrite(key: string, options?: AcquireOptions): Promise<WriteLock> {
    return this.#acquire(key, options, 'write', this.#makeWrite);
  }

  tryAcquireRead(key: string, options?: AcquireOptions): Promise<ReadLock> {
    return this.#tryAcquire(key, options, 'read', this.#makeRead);
  }

  tryAcquireWrite(key: string, options?: AcquireOptions): Promise<WriteLock> {
    return this.#tryAcquire(key, options, 'write', this.#makeWrite);
  }

  readonly #makeRead: Make<HeldReadLock> = (grant, held) => new HeldReadLock(this.#support, grant, held);
  readonly #makeWrite: Make<HeldWriteLock> = (grant, held) => new HeldWriteLock(this.#support, grant, held);

  #acquire<L extends HeldLock>(
    key: string,
    options: AcquireOptions | undefined,
    mode: 'read' | 'write',
    make: Make<L>,
  ): Promise<L> {
    const progress: Progress = {};
    return this.#acquisitions.run(key, {
      kind: mode,
      operation: ACQUIRE[mode],
      progress,
      wait: () => {
        checkAcquire(key, options);
        return waitInQueue(key, options, () => progress);
      },
      win: (stop) => acquireInTurn(this.#support, this.#request(key, options, mode, stop), progress),
      make,
    });
  }

  #tryAcquire<L extends HeldLock>(
    key: string,
    options: AcquireOptions | undefined,
    mode: 'read' | 'write',
    make: Make<L>,
  ): Promise<L> {
    return this.#acquisitions.run(key, {
      kind: mode,
      operation: TRY_ACQUIRE[mode],
      wait: () => {
        checkAcquire(key, options);
        return waitForAnswer(key, options, this.#support.requestTimeoutMs);
      },
      win: (stop) => acquireIfFree(this.#support, this.#request(key, options, mode, stop)),
      make,
    });
  }

  #request(
    name: string,
    options: AcquireOptions | undefined,
    mode: 'read' | 'write',
    stop: Cancellation,
  ): AcquisitionRequest<ReadWriteContender> {
    const { keyPrefix, defaultTtlMs } = this.#config;
    const request = { name, keyPrefix, mode, description: describeSelf(options?.purpose) };
    return {
      name,
      ttlMs: options?.ttlMs ?? defaultTtlMs,
      stop,
      contender: (session) => new ReadWriteContender(this.#support, request, session),
    };
  }
}

type Make<L extends HeldLock> = (grant: Grant<ReadWriteContender>, held: Set<HeldLock>) => L;
