import type { WaitOptions } from '@coord/client';
import {
  assertValid,
  type Cancellation,
  checkWaitOptions,
  type IssueList,
  type NamesOf,
  readOptions,
  show,
  Wait,
} from '@coord/client/internal';
import { waitForAnswer, waitInQueue } from './acquire-wait.js';
import type { Progress } from './acquisition.js';
import type { Acquisitions } from './acquisitions.js';
import type { HeldLock } from './held-lock.js';
import { HeldPermit } from './held-permit.js';
import type { Grant } from './hold.js';
import { describeSelf } from './holder.js';
import { checkLockName, semaphoreFolders } from './lock-key.js';
import { ACQUIRE, SET_PERMITS, TRY_ACQUIRE } from './lock-operations.js';
import type { LockSupport } from './lock-support.js';
import { type AcquireOptions, checkAcquireOptions, type ResolvedLockConfig } from './options.js';
import { acquirePermits, type PermitAttempt, takePermits } from './permit-acquisition.js';
import { PermitEntry } from './permit-entry.js';
import type { Permit, Semaphore, SemaphoreOptions } from './semaphore.js';
import { semaphoreReads, semaphoreState, writePermits } from './semaphore-state.js';
import { type Follower, SemaphoreWatch } from './semaphore-watch.js';

/** As many as still add up exactly, whatever the number of requests. */
const MAX_PERMITS = 2 ** 31 - 1;

const NAMES = { permits: true } satisfies NamesOf<SemaphoreOptions>;

/** The semaphores of one `createLocks`. */
export class Semaphores {
  readonly support: LockSupport;
  readonly config: ResolvedLockConfig;
  readonly acquisitions: Acquisitions;
  /** One for each name in which somebody waits. */
  readonly #watches = new Map<string, SemaphoreWatch>();

  constructor(support: LockSupport, config: ResolvedLockConfig, acquisitions: Acquisitions) {
    this.support = support;
    this.config = config;
    this.acquisitions = acquisitions;
  }

  /** @throws {ValidationError} */
  open(name: string, options: SemaphoreOptions): Semaphore {
    const issues = checkLockName([], 'name', name);
    const { permits } = readOptions(issues, options, NAMES);
    checkCount(issues, 'permits', permits, MAX_PERMITS);
    assertValid(issues);
    return new EtcdSemaphore(this, name, permits);
  }

  follow(name: string, follower: Follower): () => void {
    const present = this.#watches.get(name) ?? this.#watch(name);
    return present.follow(follower);
  }

  #watch(name: string): SemaphoreWatch {
    const { keyPrefix } = this.config;
    const look = async () => {
      const { kv } = this.support.client;
      const { responses, revision } = await kv.txn({ success: semaphoreReads(keyPrefix, name) });
      return semaphoreState(responses, revision);
    };
    const watched = { ...semaphoreFolders(keyPrefix, name), look };
    const watch = new SemaphoreWatch(this.support, watched, () => {
      if (this.#watches.get(name) === watch) this.#watches.delete(name);
    });
    this.#watches.set(name, watch);
    return watch;
  }
}

class EtcdSemaphore implements Semaphore {
  readonly name: string;
  readonly #semaphores: Semaphores;
  #permits: number;

  constructor(semaphores: Semaphores, name: string, permits: number) {
    this.#semaphores = semaphores;
    this.name = name;
    this.#permits = permits;
  }

  get permits(): number {
    return this.#permits;
  }

  acquire(weight = 1, options?: AcquireOptions): Promise<Permit> {
    const progress: Progress = {};
    const { support, acquisitions } = this.#semaphores;
    return acquisitions.run(this.name, {
      kind: 'semaphore',
      operation: ACQUIRE.semaphore,
      progress,
      wait: () => {
        this.#check(weight, options);
        return waitInQueue(this.name, options, () => progress);
      },
      win: (stop) => acquirePermits(support, this.#attempt(weight, options, stop), progress),
      make: this.#maker(weight),
    });
  }

  tryAcquire(weight = 1, options?: AcquireOptions): Promise<Permit> {
    const { support, acquisitions } = this.#semaphores;
    return acquisitions.run(this.name, {
      kind: 'semaphore',
      operation: TRY_ACQUIRE.semaphore,
      wait: () => {
        this.#check(weight, options);
        return waitForAnswer(this.name, options, support.requestTimeoutMs);
      },
      win: (stop) => takePermits(support, this.#attempt(weight, options, stop)),
      make: this.#maker(weight),
    });
  }

  setPermits(permits: number, options?: WaitOptions): Promise<void> {
    const { observer } = this.#semaphores.support;
    return observer.observe(SET_PERMITS, { key: this.name }, () => this.#setPermits(permits, options));
  }

  async #setPermits(permits: number, options: WaitOptions | undefined): Promise<void> {
    const issues = checkCount([], 'permits', permits, MAX_PERMITS);
    assertValid(checkWaitOptions(issues, options));
    const { support, config } = this.#semaphores;
    const timeoutMs = options?.timeoutMs ?? support.requestTimeoutMs;
    using wait = new Wait({ ...options, timeoutMs }, `permits of semaphore "${this.name}"`);
    const { limitKey } = semaphoreFolders(config.keyPrefix, this.name);
    try {
      await writePermits(support.client.kv, limitKey, permits, { signal: wait.signal });
    } catch (error) {
      throw wait.errorFor(error);
    }
    this.#permits = permits;
    support.logger.info('semaphore permits set', { key: this.name, permits });
  }

  #maker(weight: number): (grant: Grant, held: Set<HeldLock>) => HeldPermit {
    return (grant, held) => new HeldPermit(this.#semaphores.support, grant, held, weight);
  }

  #attempt(weight: number, options: AcquireOptions | undefined, stop: Cancellation): PermitAttempt {
    const { support, config } = this.#semaphores;
    const { name } = this;
    const description = describeSelf(options?.purpose);
    const order = { name, keyPrefix: config.keyPrefix, permits: this.#permits, weight, description };
    return {
      name,
      ttlMs: options?.ttlMs ?? config.defaultTtlMs,
      stop,
      entry: (session) => new PermitEntry(support, order, session),
      follow: (follower) => this.#semaphores.follow(name, follower),
    };
  }

  /** @throws {ValidationError} */
  #check(weight: number, options: AcquireOptions | undefined): void {
    const issues = checkCount([], 'weight', weight, this.#permits);
    assertValid(checkAcquireOptions(issues, options));
  }
}

function checkCount(issues: IssueList, path: string, count: unknown, max: number): IssueList {
  if (!Number.isSafeInteger(count) || Number(count) < 1 || Number(count) > max) {
    issues.push({ path, message: `must be a whole number from 1 to ${max}, got ${show(count)}` });
  }
  return issues;
}
