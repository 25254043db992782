import {
  assertValid,
  type Cancellation,
  type IssueList,
  isArray,
  readInput,
  show,
} from '@coord/client/internal';
import { waitForAnswer, waitInQueue } from './acquire-wait.js';
import { type AcquisitionRequest, acquireIfFree, acquireInTurn, type Progress } from './acquisition.js';
import type { Acquisitions } from './acquisitions.js';
import { Contender } from './contender.js';
import type { HeldLock } from './held-lock.js';
import { HeldMultiLock } from './held-multi-lock.js';
import type { Grant } from './hold.js';
import { describeSelf } from './holder.js';
import { checkQueueName, multiPlace, type QueueLayout, queuePrefix, titleOf } from './lock-key.js';
import { ACQUIRE, TRY_ACQUIRE } from './lock-operations.js';
import type { LockSupport } from './lock-support.js';
import { type AcquireOptions, checkAcquireOptions, type ResolvedLockConfig } from './options.js';
import { assertNotOwnHold } from './self-deadlock.js';

/**
 * etcd takes 128 operations and compares a transaction by default; the rest is left for those of
 * the user in `lock.txn`.
 */
const MAX_NAMES = 100;

type Names = readonly [string, ...string[]];

/**
 * Locks of several names at once. They stand in the queues of the mutexes of these names.
 *
 * All keys are written in one transaction, so at one revision, and that is the order of every queue:
 * two such requests never wait for each other.
 */
export class MultiLocks {
  readonly #support: LockSupport;
  readonly #config: ResolvedLockConfig;
  readonly #acquisitions: Acquisitions;

  constructor(support: LockSupport, config: ResolvedLockConfig, acquisitions: Acquisitions) {
    this.#support = support;
    this.#config = config;
    this.#acquisitions = acquisitions;
  }

  async acquire(keys: readonly string[], options?: AcquireOptions): Promise<HeldMultiLock> {
    const names = this.#names(keys, options);
    if (options?.allowNested !== true) {
      for (const name of names) assertNotOwnHold(this.#support.client, queuePrefix(this.#config, name), name);
    }
    const progress: Progress = {};
    const title = titleOf(names);
    return this.#acquisitions.run(title, {
      kind: 'multi',
      operation: ACQUIRE.multi,
      progress,
      wait: () => waitInQueue(title, options, () => progress),
      win: (stop) => acquireInTurn(this.#support, this.#request(names, options, stop), progress),
      make: this.#maker(names),
    });
  }

  async tryAcquire(keys: readonly string[], options?: AcquireOptions): Promise<HeldMultiLock> {
    const names = this.#names(keys, options);
    const title = titleOf(names);
    return this.#acquisitions.run(title, {
      kind: 'multi',
      operation: TRY_ACQUIRE.multi,
      wait: () => waitForAnswer(title, options, this.#support.requestTimeoutMs),
      win: (stop) => acquireIfFree(this.#support, this.#request(names, options, stop)),
      make: this.#maker(names),
    });
  }

  #maker(names: Names): (grant: Grant, held: Set<HeldLock>) => HeldMultiLock {
    return (grant, held) => new HeldMultiLock(this.#support, grant, held, names);
  }

  #request(
    names: Names,
    options: AcquireOptions | undefined,
    stop: Cancellation,
  ): AcquisitionRequest<Contender> {
    const description = describeSelf(options?.purpose);
    return {
      name: titleOf(names),
      ttlMs: options?.ttlMs ?? this.#config.defaultTtlMs,
      stop,
      contender: (session) => {
        const place = multiPlace(this.#config, names, session.leaseId);
        return new Contender(this.#support, place, session, description);
      },
    };
  }

  /** Each name once. @throws {ValidationError} */
  #names(keys: unknown, options: AcquireOptions | undefined): Names {
    const issues: IssueList = [];
    const names = readInput('keys', () => checkNames(issues, keys, this.#config));
    checkAcquireOptions(issues, options);
    assertValid(issues);
    const [first, ...others] = new Set(names);
    if (first === undefined) throw new TypeError('no names');
    return [first, ...others];
  }
}

function checkNames(issues: IssueList, keys: unknown, layout: QueueLayout): string[] {
  if (!isArray(keys)) {
    issues.push({ path: 'keys', message: `must be an array of names, got ${show(keys)}` });
    return [];
  }
  if (keys.length === 0) issues.push({ path: 'keys', message: 'must name at least one lock' });
  if (new Set(keys).size > MAX_NAMES) {
    const message = `must be at most ${MAX_NAMES} names, got ${new Set(keys).size}: etcd limits what one transaction may do`;
    issues.push({ path: 'keys', message });
    return [];
  }
  return Array.from(keys, (key: unknown, i) => {
    checkQueueName(issues, `keys[${i}]`, key, layout);
    return typeof key === 'string' ? key : '';
  });
}
