import { TimeoutError } from '@coord/client';
import { Wait } from '@coord/client/internal';
import { type AcquisitionRequest, acquireIfFree, acquireInTurn, type Progress } from './acquisition.js';
import type { Acquisitions } from './acquisitions.js';
import { LockConflictError, LockTimeoutError } from './errors.js';
import type { HeldLock } from './held-lock.js';
import type { Grant } from './hold.js';
import { describeSelf, holderOf, type LockHolder } from './holder.js';
import { LocalQueue, type Turn } from './local-queue.js';
import { mutexPlace, queuePrefix } from './lock-key.js';
import type { LockSupport } from './lock-support.js';
import { type AcquireOptions, checkAcquire, type ResolvedLockConfig } from './options.js';

/** The mutexes of one `createLocks`: its callers wait in a line of their own before the queue in etcd. */
export class Mutexes {
  readonly #support: LockSupport;
  readonly #config: ResolvedLockConfig;
  readonly #acquisitions: Acquisitions;
  readonly #queue = new LocalQueue();

  constructor(support: LockSupport, config: ResolvedLockConfig, acquisitions: Acquisitions) {
    this.#support = support;
    this.#config = config;
    this.#acquisitions = acquisitions;
  }

  /** @see DistributedLock.acquire */
  async acquire(key: string, options?: AcquireOptions): Promise<HeldLock> {
    checkAcquire(key, options);
    const progress: Progress = {};
    const timedOut = (ms: number) => {
      const holder = progress.holder ?? this.#queue.view(key).holder;
      return new LockTimeoutError(key, ms, { ...progress, holder });
    };
    const wait = new Wait(options, `lock "${key}"`, timedOut);
    return this.#acquisitions.run(key, wait, async (signal) => {
      progress.ahead = this.#queue.view(key).ahead || undefined;
      const turn = await this.#queue.enter(key, signal);
      turn.holder = () => progress.holder;
      const request = this.#request(key, options, signal);
      return this.#win(turn, request, acquireInTurn(this.#support, request, progress));
    });
  }

  /** @see DistributedLock.tryAcquire */
  async tryAcquire(key: string, options?: AcquireOptions): Promise<HeldLock> {
    checkAcquire(key, options);
    const timeoutMs = options?.timeoutMs ?? this.#support.requestTimeoutMs;
    const noAnswer = (ms: number) =>
      new TimeoutError(`lock "${key}": etcd did not answer within ${ms} ms`, { timeoutMs: ms });
    const wait = new Wait({ ...options, timeoutMs }, `lock "${key}"`, noAnswer);
    return this.#acquisitions.run(key, wait, async (signal) => {
      const turn = this.#queue.tryEnter(key);
      // Others of this client hold it or wait for it, so it is not free.
      if (turn === undefined) throw new LockConflictError(key, await this.#readHolder(key, signal));
      const request = this.#request(key, options, signal);
      return this.#win(turn, request, acquireIfFree(this.#support, request));
    });
  }

  #request(name: string, options: AcquireOptions | undefined, signal: AbortSignal): AcquisitionRequest {
    return {
      name,
      ttlMs: options?.ttlMs ?? this.#config.defaultTtlMs,
      description: describeSelf(options?.purpose),
      signal,
      place: (leaseId) => mutexPlace(this.#config.keyPrefix, name, leaseId),
    };
  }

  /** Passes the turn on when the acquisition fails, or else when the lock has been left. */
  async #win(turn: Turn, { description }: AcquisitionRequest, acquisition: Promise<Grant>): Promise<Grant> {
    try {
      const grant = await acquisition;
      const own = { key: grant.hold.etcdKeys[0], createRevision: grant.hold.token };
      turn.holder = () => holderOf({ ...own, value: Buffer.from(description) });
      return { ...grant, onLeft: () => turn.leave() };
    } catch (error) {
      turn.leave();
      throw error;
    }
  }

  /** Reads who holds the lock, without a write. */
  async #readHolder(name: string, signal: AbortSignal): Promise<LockHolder | undefined> {
    const { kvs } = await this.#support.client.kv.range(
      { prefix: queuePrefix(this.#config.keyPrefix, name) },
      { limit: 1, sort: { by: 'create', order: 'ascend' }, signal },
    );
    return kvs[0] && holderOf(kvs[0]);
  }
}
