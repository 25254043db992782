import type { Cancellation } from '@coord/client/internal';
import { waitForAnswer, waitInQueue } from './acquire-wait.js';
import {
  type AcquisitionRequest,
  acquireIfFree,
  acquireInTurn,
  type Progress,
  prepareContender,
} from './acquisition.js';
import type { Acquisitions } from './acquisitions.js';
import { Contender } from './contender.js';
import { LockConflictError } from './errors.js';
import { Heir } from './heir.js';
import { HeldLock } from './held-lock.js';
import type { Grant } from './hold.js';
import { describeSelf, holderOf, type LockHolder } from './holder.js';
import { LocalQueue, type Turn } from './local-queue.js';
import { mutexPlace, queuePrefix } from './lock-key.js';
import { ACQUIRE, TRY_ACQUIRE } from './lock-operations.js';
import type { LockSupport } from './lock-support.js';
import { MutexGrant } from './mutex-grant.js';
import { type AcquireOptions, checkAcquire, type ResolvedLockConfig } from './options.js';
import { assertNotOwnHold } from './self-deadlock.js';

interface MutexRequest extends AcquisitionRequest<Contender> {
  /** The value of our key. */
  readonly description: string;
}

/** The mutexes of one `createLocks`: its callers wait in a line of their own before the queue in etcd. */
export class Mutexes {
  readonly #support: LockSupport;
  readonly #config: ResolvedLockConfig;
  readonly #acquisitions: Acquisitions;
  readonly #queue = new LocalQueue<Heir>();

  constructor(support: LockSupport, config: ResolvedLockConfig, acquisitions: Acquisitions) {
    this.#support = support;
    this.#config = config;
    this.#acquisitions = acquisitions;
  }

  /** @see DistributedLock.acquire */
  acquire(key: string, options?: AcquireOptions, progress: Progress = {}): Promise<HeldLock> {
    return this.#acquisitions.run(key, {
      kind: 'mutex',
      operation: ACQUIRE.mutex,
      progress,
      wait: () => {
        checkAcquire(key, options, this.#config);
        if (options?.allowNested !== true)
          assertNotOwnHold(this.#support.client, queuePrefix(this.#config, key), key);
        return waitInQueue(key, options, () => this.view(key, progress));
      },
      win: (stop) => this.#winInTurn(this.#request(key, options, stop), progress),
      make: this.#make,
    });
  }

  /** What is known of the queue to one who waits. */
  view(key: string, progress: Progress): Progress {
    return { ...progress, holder: progress.holder ?? this.#queue.view(key).holder };
  }

  /** @see DistributedLock.tryAcquire */
  tryAcquire(key: string, options?: AcquireOptions): Promise<HeldLock> {
    return this.#acquisitions.run(key, {
      kind: 'mutex',
      operation: TRY_ACQUIRE.mutex,
      wait: () => {
        checkAcquire(key, options, this.#config);
        return waitForAnswer(key, options, this.#support.requestTimeoutMs);
      },
      win: (stop) => this.#winIfFree(this.#request(key, options, stop)),
      make: this.#make,
    });
  }

  readonly #make = (grant: Grant, held: Set<HeldLock>) => new HeldLock(this.#support, grant, held);

  #request(name: string, options: AcquireOptions | undefined, stop: Cancellation): MutexRequest {
    const description = describeSelf(options?.purpose);
    return {
      name,
      ttlMs: options?.ttlMs ?? this.#config.defaultTtlMs,
      stop,
      description,
      contender: (session) => {
        const place = mutexPlace(this.#config, name, session.leaseId);
        return new Contender(this.#support, place, session, description);
      },
    };
  }

  #winInTurn(request: MutexRequest, progress: Progress): Promise<Grant> {
    const turn = this.#queue.tryEnter(request.name);
    return turn === undefined ? this.#winInLine(request, progress) : this.#contend(request, progress, turn);
  }

  /** Others of this client are before it. */
  async #winInLine(request: MutexRequest, progress: Progress): Promise<Grant> {
    const { name, stop } = request;
    progress.ahead = this.#queue.view(name).ahead;
    const heir = new Heir(() => prepareContender(this.#support, request));
    const turn = await this.#queue.enter(name, stop, heir).catch((error: unknown) => {
      heir.discard();
      throw error;
    });
    return await this.#contend(request, progress, turn, heir);
  }

  #contend(request: MutexRequest, progress: Progress, turn: Turn<Heir>, heir?: Heir): Promise<Grant> {
    turn.holder = () => progress.holder;
    return this.#passOn(acquireInTurn(this.#support, request, progress, heir?.take()), request, turn);
  }

  /** The turn passes on when the acquisition fails, or else when the lock has been left. */
  #passOn(acquisition: Promise<Grant<Contender>>, request: MutexRequest, turn: Turn<Heir>): Promise<Grant> {
    return acquisition.then(
      (grant) => new MutexGrant(this.#support, grant, turn, request.description),
      (error: unknown) => {
        turn.leave();
        throw error;
      },
    );
  }

  async #winIfFree(request: MutexRequest): Promise<Grant> {
    const { name, stop } = request;
    const turn = this.#queue.tryEnter(name);
    // Others of this client hold it or wait for it, so it is not free.
    if (turn === undefined) throw new LockConflictError(name, await this.#readHolder(name, stop.signal));
    return await this.#passOn(acquireIfFree(this.#support, request), request, turn);
  }

  /** Reads who holds the lock, without a write. */
  async #readHolder(name: string, signal: AbortSignal): Promise<LockHolder | undefined> {
    const { kvs } = await this.#support.client.kv.range(
      { prefix: queuePrefix(this.#config, name) },
      { limit: 1, sort: { by: 'create', order: 'ascend' }, signal },
    );
    return kvs[0] && holderOf(kvs[0]);
  }
}
