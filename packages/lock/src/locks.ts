import {
  ClosedError,
  type CoordClient,
  CoordError,
  TimeoutError,
  ValidationError,
  type WaitOptions,
} from '@coord/client';
import { monotonicNow, show, Wait } from '@coord/client/internal';
import {
  type AcquisitionRequest,
  acquireIfFree,
  acquireInTurn,
  type Grant,
  type Progress,
  readHolder,
} from './acquisition.js';
import { LockConflictError, LockTimeoutError } from './errors.js';
import { forwardAbort } from './forward-abort.js';
import { HeldLock } from './held-lock.js';
import { describeSelf, holderOf } from './holder.js';
import { LocalQueue, type Turn } from './local-queue.js';
import type { DistributedLock, Lock } from './lock.js';
import { createLockSupport, type LockSupport } from './lock-support.js';
import {
  type AcquireOptions,
  checkAcquire,
  type DistributedLockConfig,
  type ResolvedLockConfig,
  resolveLockConfig,
} from './options.js';

/**
 * Fair distributed locks on a client. Does no I/O by itself.
 *
 * @throws {ValidationError} naming every bad option
 * @example
 * const client = await connect();
 * const locks = createLocks(client);
 * const lock = await locks.acquire('nightly-report', { timeoutMs: 10_000 });
 * try {
 *   await writeReport({ token: lock.fencingToken, signal: lock.signal });
 * } finally {
 *   await lock.release();
 * }
 */
export function createLocks(client: CoordClient, options?: DistributedLockConfig): DistributedLock {
  return new Locks(createLockSupport(client), resolveLockConfig(options));
}

interface Won {
  readonly turn: Turn;
  readonly grant: Grant;
}

type Win = (request: AcquisitionRequest) => Promise<Won>;

class Locks implements DistributedLock {
  readonly #support: LockSupport;
  readonly #config: ResolvedLockConfig;
  readonly #acquiring = new Set<AbortController>();
  readonly #held = new Set<HeldLock>();
  readonly #queue = new LocalQueue();
  #closing: Promise<void> | undefined;

  constructor(support: LockSupport, config: ResolvedLockConfig) {
    this.#support = support;
    this.#config = config;
  }

  async acquire(key: string, options?: AcquireOptions): Promise<Lock> {
    checkAcquire(key, options);
    const progress: Progress = {};
    const timedOut = (ms: number) => {
      const holder = progress.holder ?? this.#queue.view(key).holder;
      return new LockTimeoutError(key, ms, { ...progress, holder });
    };
    const wait = new Wait(options, `lock "${key}"`, timedOut);
    return this.#acquire(key, options, wait, async (request) => {
      progress.ahead = this.#queue.view(key).ahead || undefined;
      const turn = await this.#queue.enter(key, request.signal);
      turn.holder = () => progress.holder;
      return this.#win(turn, acquireInTurn(this.#support, request, progress));
    });
  }

  async tryAcquire(key: string, options?: AcquireOptions): Promise<Lock> {
    checkAcquire(key, options);
    const timeoutMs = options?.timeoutMs ?? this.#support.requestTimeoutMs;
    const noAnswer = (ms: number) =>
      new TimeoutError(`lock "${key}": etcd did not answer within ${ms} ms`, { timeoutMs: ms });
    const wait = new Wait({ ...options, timeoutMs }, `lock "${key}"`, noAnswer);
    return this.#acquire(key, options, wait, async (request) => {
      const turn = this.#queue.tryEnter(key);
      // Others of this client hold it or wait for it, so it is not free.
      if (turn === undefined) throw new LockConflictError(key, await readHolder(this.#support, request));
      return this.#win(turn, acquireIfFree(this.#support, request));
    });
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
    const lock = await this.acquire(key, options);
    try {
      return await fn(lock);
    } finally {
      await lock[Symbol.asyncDispose]();
    }
  }

  async close(options?: WaitOptions): Promise<void> {
    const timeoutMs = options?.timeoutMs ?? this.#support.requestTimeoutMs;
    using wait = new Wait({ ...options, timeoutMs }, 'close of the locks');
    this.#closing ??= this.#closeAll();
    try {
      await wait.race(this.#closing);
    } catch (error) {
      // Past the deadline the rest goes on by itself, and at the latest until the leases end.
      if (!(error instanceof TimeoutError)) throw error;
      this.#support.logger.warn('locks closed before etcd confirmed every release', { error });
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #closeAll(): Promise<void> {
    // Not before `#closing` is set: a holder may try to acquire again the moment it is told.
    await Promise.resolve();
    const closed = closedError();
    for (const stop of this.#acquiring) stop.abort(closed);
    for (const lock of [...this.#held]) lock.interrupt(closed);
    await this.#support.background.settled();
  }

  /** One acquisition, which `close` ends and waits for. */
  #acquire(name: string, options: AcquireOptions | undefined, wait: Wait, win: Win): Promise<Lock> {
    return this.#support.background.own(this.#acquireOwned(name, options, wait, win));
  }

  async #acquireOwned(
    name: string,
    options: AcquireOptions | undefined,
    wait: Wait,
    win: Win,
  ): Promise<Lock> {
    const startedAt = monotonicNow();
    const stop = new AbortController();
    const stopForwarding = forwardAbort(wait.signal, stop);
    this.#acquiring.add(stop);
    try {
      if (this.#closing !== undefined) throw closedError();
      const description = describeSelf(options?.purpose);
      const { grant, turn } = await win({
        name,
        keyPrefix: this.#config.keyPrefix,
        ttlMs: options?.ttlMs ?? this.#config.defaultTtlMs,
        description,
        signal: stop.signal,
      });
      const own = { key: grant.contender.key.etcdKey, createRevision: grant.token };
      turn.holder = () => holderOf({ ...own, value: Buffer.from(description) });
      const lock = new HeldLock(this.#support, grant, turn, this.#held);
      if (stop.signal.aborted) {
        // Won in the very moment in which it was given up.
        void lock[Symbol.asyncDispose]();
        throw stop.signal.reason;
      }
      this.#logAcquire(name, startedAt, 'acquired', grant.token);
      return lock;
    } catch (error) {
      this.#logAcquire(name, startedAt, CoordError.is(error) ? error.name : 'failed');
      throw error;
    } finally {
      this.#acquiring.delete(stop);
      stopForwarding();
      wait[Symbol.dispose]();
    }
  }

  /** Passes the turn on when the acquisition fails. */
  async #win(turn: Turn, acquisition: Promise<Grant>): Promise<Won> {
    try {
      return { turn, grant: await acquisition };
    } catch (error) {
      turn.leave();
      throw error;
    }
  }

  #logAcquire(key: string, startedAt: number, outcome: string, token?: bigint): void {
    this.#support.logger.debug('lock acquire', {
      key,
      outcome,
      durationMs: Math.round(monotonicNow() - startedAt),
      ...(token !== undefined && { fencingToken: token.toString() }),
    });
  }
}

function closedError(): ClosedError {
  return new ClosedError('the locks are closed: create new ones with createLocks(client)');
}
