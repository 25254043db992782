import { ClosedError, CoordError, TimeoutError, type WaitOptions } from '@coord/client';
import {
  assertValid,
  type Cancellation,
  checkWaitOptions,
  monotonicNow,
  type Operation,
  type Subject,
  Wait,
} from '@coord/client/internal';
import type { Progress } from './acquisition.js';
import { LockConflictError } from './errors.js';
import type { HeldLock } from './held-lock.js';
import type { Grant } from './hold.js';
import type { LockMetrics } from './lock-metrics.js';
import type { MeasuredKind } from './lock-operations.js';
import type { LockSupport } from './lock-support.js';

/** How to come by a lock of some kind. */
export interface Acquire<G extends Grant, L extends HeldLock> {
  readonly kind: MeasuredKind;
  readonly operation: Operation;
  /** What it learns on its way, if it may have to wait. */
  readonly progress?: Progress;
  /** The caller's wait. @throws {ValidationError} for bad input, before anything else happens */
  wait(): Wait;
  /** @param stop ends the attempt with its reason */
  win(stop: Cancellation): Promise<G>;
  /** @param held where the lock is for as long as it is held */
  make(grant: G, held: Set<HeldLock>): L;
}

/** What is under way and what is held, of every kind, by one `createLocks`: until it is closed. */
export class Acquisitions {
  readonly #support: LockSupport;
  readonly #acquiring = new Set<Cancellation>();
  readonly #held = new Set<HeldLock>();
  #closing: Promise<void> | undefined;

  constructor(support: LockSupport) {
    this.#support = support;
  }

  /** One acquisition, which `close` ends and waits for. */
  run<G extends Grant, L extends HeldLock>(name: string, acquire: Acquire<G, L>): Promise<L> {
    const { observer, metrics, background } = this.#support;
    if (!observer.active) return background.own(this.#run(acquire));
    const measured = () => (metrics ? this.#measured(acquire, metrics) : this.#run(acquire));
    return background.own(observer.observe(acquire.operation, { key: name }, measured, tokenOf));
  }

  async close(options?: WaitOptions): Promise<void> {
    assertValid(checkWaitOptions([], options));
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

  async #closeAll(): Promise<void> {
    // Not before `#closing` is set: a holder may try to acquire again the moment it is told.
    await Promise.resolve();
    const closed = closedError();
    for (const stop of this.#acquiring) stop.abort(closed);
    for (const lock of [...this.#held]) lock.interrupt(closed);
    await this.#support.background.settled();
    this.#support.queueWatches.close();
  }

  async #run<G extends Grant, L extends HeldLock>(acquire: Acquire<G, L>): Promise<L> {
    const wait = acquire.wait();
    const { cancellation: stop } = wait;
    this.#acquiring.add(stop);
    try {
      if (this.#closing !== undefined) throw closedError();
      const lock = acquire.make(await acquire.win(stop), this.#held);
      if (stop.aborted) {
        // Won in the very moment in which it was given up.
        void lock[Symbol.asyncDispose]();
        throw stop.reason;
      }
      return lock;
    } finally {
      this.#acquiring.delete(stop);
      wait[Symbol.dispose]();
    }
  }

  async #measured<G extends Grant, L extends HeldLock>(
    acquire: Acquire<G, L>,
    metrics: LockMetrics,
  ): Promise<L> {
    const { kind, progress } = acquire;
    const startedAt = monotonicNow();
    const waited = () => (progress?.ahead ?? 0) > 0;
    metrics.asked(kind);
    try {
      const lock = await this.#run(acquire);
      metrics.answered(kind, monotonicNow() - startedAt, waited());
      return lock;
    } catch (error) {
      const contended = waited() || error instanceof LockConflictError;
      metrics.answered(
        kind,
        monotonicNow() - startedAt,
        contended,
        CoordError.is(error) ? error.code : '_OTHER',
      );
      throw error;
    }
  }
}

function tokenOf({ fencingToken }: HeldLock): Subject {
  return { fencingToken: fencingToken.toString() };
}

function closedError(): ClosedError {
  return new ClosedError('the locks are closed: create new ones with createLocks(client)');
}
