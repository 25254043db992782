import type { Cancellation, Wait } from '@coord/client/internal';
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
import { handOver } from './hand-over.js';
import { Heir } from './heir.js';
import { HeldLock } from './held-lock.js';
import type { Grant } from './hold.js';
import { describeSelf, holderOf, type LockHolder } from './holder.js';
import { LocalQueue, type Turn } from './local-queue.js';
import { mutexPlace, queuePrefix } from './lock-key.js';
import type { LockSupport } from './lock-support.js';
import { type AcquireOptions, checkAcquire, type ResolvedLockConfig } from './options.js';
import { assertNotOwnHold } from './self-deadlock.js';

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
  async acquire(key: string, options?: AcquireOptions, progress: Progress = {}): Promise<HeldLock> {
    checkAcquire(key, options, this.#config);
    if (options?.allowNested !== true)
      assertNotOwnHold(this.#support.client, queuePrefix(this.#config, key), key);
    const wait = waitInQueue(key, options, () => this.view(key, progress));
    return this.#run(key, wait, async (stop) => {
      progress.ahead = this.#queue.view(key).ahead || undefined;
      const description = describeSelf(options?.purpose);
      const request = this.#request(key, options, stop, description);
      const heir = new Heir(() => prepareContender(this.#support, request));
      const turn = await this.#queue.enter(key, stop, heir).catch((error: unknown) => {
        heir.discard();
        throw error;
      });
      turn.holder = () => progress.holder;
      return this.#win(turn, description, acquireInTurn(this.#support, request, progress, heir.take()));
    });
  }

  /** What is known of the queue to one who waits. */
  view(key: string, progress: Progress): Progress {
    return { ...progress, holder: progress.holder ?? this.#queue.view(key).holder };
  }

  /** @see DistributedLock.tryAcquire */
  async tryAcquire(key: string, options?: AcquireOptions): Promise<HeldLock> {
    checkAcquire(key, options, this.#config);
    const wait = waitForAnswer(key, options, this.#support.requestTimeoutMs);
    return this.#run(key, wait, async (stop) => {
      const turn = this.#queue.tryEnter(key);
      // Others of this client hold it or wait for it, so it is not free.
      if (turn === undefined) throw new LockConflictError(key, await this.#readHolder(key, stop.signal));
      const description = describeSelf(options?.purpose);
      const request = this.#request(key, options, stop, description);
      return this.#win(turn, description, acquireIfFree(this.#support, request));
    });
  }

  #run(key: string, wait: Wait, win: (stop: Cancellation) => Promise<Grant>): Promise<HeldLock> {
    const make = (grant: Grant, held: Set<HeldLock>) => new HeldLock(this.#support, grant, held);
    return this.#acquisitions.run(key, wait, { win, make });
  }

  #request(
    name: string,
    options: AcquireOptions | undefined,
    stop: Cancellation,
    description: string,
  ): AcquisitionRequest<Contender> {
    return {
      name,
      ttlMs: options?.ttlMs ?? this.#config.defaultTtlMs,
      stop,
      contender: (session) => {
        const place = mutexPlace(this.#config, name, session.leaseId);
        return new Contender(this.#support, place, session, description);
      },
    };
  }

  /** Passes the turn on when the acquisition fails, or else when the lock has been left. */
  async #win(turn: Turn<Heir>, description: string, acquisition: Promise<Grant<Contender>>): Promise<Grant> {
    try {
      const grant = await acquisition;
      const own = { key: grant.hold.etcdKeys[0], createRevision: grant.hold.token };
      turn.holder = () => holderOf({ ...own, value: Buffer.from(description) });
      return {
        ...grant,
        onLeft: () => turn.leave(),
        handOver: (isMoot) => {
          const left = handOver(this.#support, grant.hold, turn.next, isMoot);
          if (left !== undefined) turn.leave();
          return left;
        },
      };
    } catch (error) {
      turn.leave();
      throw error;
    }
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
