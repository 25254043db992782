import type { CallOptions, CoordError, TxnRequest, TxnResult, WaitOptions } from '@coord/client';
import {
  assertValid,
  Cancellation,
  checkTtlMs,
  checkWaitOptions,
  type Subject,
  Wait,
} from '@coord/client/internal';
import type { Left } from './background.js';
import type { Conversion } from './conversion.js';
import type { LockExpiredError, LockNotHeldError } from './errors.js';
import { guardedTxn } from './guarded-txn.js';
import type { Grant, Hold } from './hold.js';
import { HoldReport } from './hold-report.js';
import { KeyGuard } from './key-guard.js';
import type { Lock } from './lock.js';
import { LockLease } from './lock-lease.js';
import type { HoldEnd } from './lock-metrics.js';
import { type MeasuredKind, RELEASE, RENEW } from './lock-operations.js';
import type { LockSupport } from './lock-support.js';
import { persist } from './persist.js';
import { moveToTtl, Turns } from './renewals.js';
import { stillReleasing } from './still-releasing.js';

type State =
  | { readonly type: 'held' }
  | { readonly type: 'lost'; readonly error: LockExpiredError }
  | { readonly type: 'released'; readonly left: Promise<Left>; readonly why: string };

/** A held lock: until it is released, or lost by whichever sign of loss comes first. */
export class HeldLock implements Lock {
  readonly key: string;
  readonly etcdKey: string;
  readonly fencingToken: bigint;
  readonly #support: LockSupport;
  readonly #hold: Hold;
  readonly #lease: LockLease;
  #guard: KeyGuard;
  readonly #grant: Grant;
  readonly #held: Set<HeldLock>;
  readonly #report: HoldReport;
  #state: State = { type: 'held' };
  /** What users are told by the signal. */
  readonly #interruption = new Cancellation();
  /** Stops what only makes sense while the lock is held. */
  readonly #ended = new Cancellation();
  /** Renewals and conversions take turns. */
  readonly #turns: Turns;
  #isConverting = false;

  /** @param held the lock is in this set for as long as it is held */
  constructor(support: LockSupport, grant: Grant, held: Set<HeldLock>) {
    const { hold, refs } = grant;
    this.#support = support;
    this.#hold = hold;
    this.#grant = grant;
    this.#held = held;
    held.add(this);
    this.key = hold.name;
    this.etcdKey = hold.etcdKeys[0];
    this.fencingToken = hold.token;
    this.#report = new HoldReport(support, this.key, this.fencingToken);
    this.#turns = new Turns(support);
    support.metrics?.held(this.kind);
    this.#guard = this.#newGuard();
    this.#lease = new LockLease(() => this.#lose('its session ended'));
    for (const ref of refs) this.#lease.add(ref); // which may have ended this very moment
  }

  get signal(): AbortSignal {
    return this.#interruption.signal;
  }

  /** As it is measured. */
  protected get kind(): MeasuredKind {
    return 'mutex';
  }

  release(options?: WaitOptions): Promise<void> {
    const { observer } = this.#support;
    if (!observer.active) return this.#release(options);
    return observer.observe(RELEASE[this.kind], { key: this.key }, () => this.#release(options));
  }

  async #release(options: WaitOptions | undefined): Promise<void> {
    const wait = this.#waitFor('release', options);
    try {
      const left = await wait.race(this.#startRelease());
      if (left === 'gone') throw this.#notHeldError('its key was gone when it was released');
    } catch (error) {
      const { aborted, reason } = wait.cancellation;
      throw aborted ? stillReleasing(reason) : error;
    } finally {
      wait[Symbol.dispose]();
    }
  }

  unlock(options?: WaitOptions): Promise<void> {
    return this.release(options);
  }

  /** Ends the hold because its `DistributedLock` is being closed: users are told by the signal. */
  interrupt(cause: CoordError): void {
    if (!this.#checkClock()) return;
    this.#interruption.abort(this.#report.expired('the DistributedLock that made it was closed', cause));
    void this.#startRelease();
  }

  renew(ttlMs?: number, options?: WaitOptions): Promise<boolean> {
    const { observer } = this.#support;
    return observer.observe(RENEW[this.kind], { key: this.key }, () => this.#renew(ttlMs, options), heldOf);
  }

  async #renew(ttlMs: number | undefined, options: WaitOptions | undefined): Promise<boolean> {
    const issues = checkWaitOptions([], options);
    if (ttlMs !== undefined) checkTtlMs(issues, 'ttlMs', ttlMs);
    assertValid(issues);
    using wait = this.#waitFor('renew', options);
    try {
      return await wait.race(this.#turns.take(() => this.#renewNow(ttlMs, wait)));
    } catch (error) {
      wait.check();
      if (!this.#checkClock()) return false;
      throw error;
    }
  }

  async isHeld(options?: WaitOptions): Promise<boolean> {
    assertValid(checkWaitOptions([], options));
    if (!this.#checkClock()) return false;
    const present = await this.#hold.isPresent(options);
    if (!present && !this.#isConverting) this.#lose('its key was deleted');
    return this.#checkClock();
  }

  async isExpired(options?: WaitOptions): Promise<boolean> {
    await this.isHeld(options);
    return this.#state.type === 'lost';
  }

  async ttl(): Promise<number> {
    return this.#checkClock() ? this.#lease.remainingMs : 0;
  }

  assertHeld(): void {
    if (this.#checkClock()) return;
    throw this.#interruption.reason ?? this.#notHeldError();
  }

  async txn(request: TxnRequest, options?: CallOptions): Promise<TxnResult> {
    if (!this.#checkClock()) throw this.#notHeldError();
    const result = await guardedTxn(this.#support.client.kv, this.#hold, request, options);
    if (result !== undefined) return result;
    if (!this.#isConverting) this.#lose('its key was deleted');
    throw this.#notHeldError();
  }

  toJSON(): Record<string, unknown> {
    return {
      key: this.key,
      etcdKey: this.etcdKey,
      fencingToken: this.fencingToken.toString(),
      state: this.#state.type,
      remainingMs: Math.round(this.#state.type === 'held' ? this.#lease.remainingMs : 0),
    };
  }

  /** Does not throw for what is already gone; a release that etcd has not confirmed goes on. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.release().catch((error: unknown) => {
      this.#support.logger.warn('lock not released cleanly', { key: this.key, error });
    });
  }

  /**
   * Makes a lock of another kind of this one, without ever giving it up; then this handle is done with.
   * @param change resolves to false when the hold is gone
   * @throws whatever `change` throws; then this handle goes on
   */
  protected async convert<L extends Lock>(
    what: string,
    options: WaitOptions | undefined,
    { change, make, onGivenUp, undo }: Conversion<L>,
  ): Promise<L> {
    using wait = this.#waitFor(what, options);
    const converted = this.#turns.take(async () => {
      if (!this.#checkClock()) throw this.#notHeldError();
      wait.check();
      this.#isConverting = true;
      this.#guard.stop();
      try {
        const { backoff } = this.#support;
        // Not the caller's signal: until etcd has answered, nobody knows what we hold.
        const persistently = { signal: this.#ended.signal, backoff };
        const isThere = await persist(() => change(this.#lease.session), persistently);
        if (!isThere) this.#lose('its key was deleted');
        if (!this.#checkClock()) throw this.#notHeldError();
        if (wait.cancellation.aborted) await undo(persistently);
        wait.check();
        return make(this.#passOn(`it was given away by ${what}`));
      } catch (error) {
        throw this.#state.type === 'held' ? error : this.#notHeldError();
      } finally {
        this.#isConverting = false;
        if (this.#state.type === 'held') this.#guard = this.#newGuard();
      }
    });
    try {
      return await wait.race(converted);
    } catch (error) {
      if (this.#isConverting) onGivenUp?.();
      // Converted in the very moment in which the caller gave up.
      converted.then((lock) => lock[Symbol.asyncDispose]()).catch(() => undefined);
      throw error;
    }
  }

  /** Ends the hold for a reason of ours; users are told by the signal. */
  protected giveUp(reason: string): void {
    this.#lose(reason);
  }

  #passOn(why: string): Grant {
    this.#state = { type: 'released', left: Promise.resolve('removed'), why };
    this.#end('converted');
    return { hold: this.#hold, refs: this.#lease.take(), onLeft: () => this.#grant.onLeft?.() };
  }

  #newGuard(): KeyGuard {
    return new KeyGuard(this.#support, this.#hold, () => this.#lose('its key was deleted'));
  }

  /** Whether it is held, by the state and the clock: a timer may be late, the clock is not. */
  #checkClock(): boolean {
    if (this.#state.type === 'held' && !this.#lease.isAlive) this.#lose('its session ended');
    return this.#state.type === 'held';
  }

  #startRelease(): Promise<Left> {
    if (this.#state.type === 'released') return this.#state.left;
    if (!this.#checkClock()) return Promise.reject(this.#notHeldError());
    const left = this.#grant.handOver?.(() => this.#lease.isGone) ?? this.#leave();
    this.#state = { type: 'released', left, why: 'it was released' };
    void left.then((how) => {
      this.#left();
      this.#report.log('debug', 'lock released', { outcome: how });
    });
    this.#end('released');
    return left;
  }

  #lose(reason: string): void {
    if (this.#state.type !== 'held') return;
    const error = this.#report.expired(reason);
    this.#state = { type: 'lost', error };
    this.#report.log('warn', 'lock lost', { reason });
    // Whatever is left of it must not block the next one; usually there is nothing.
    void this.#leave().then(() => this.#left());
    this.#end('lost');
    this.#interruption.abort(error);
  }

  #leave(): Promise<Left> {
    return this.#support.background.remove({
      name: this.key,
      leave: () => this.#hold.leave(),
      isMoot: () => this.#lease.isGone,
    });
  }

  #left(): void {
    this.#grant.onLeft?.();
    this.#lease.drop();
  }

  #end(how: HoldEnd): void {
    this.#support.metrics?.ended(this.kind, this.#report.heldMs, how);
    this.#guard.stop();
    this.#ended.abort(undefined);
    this.#held.delete(this);
  }

  async #renewNow(ttlMs: number | undefined, wait: Wait): Promise<boolean> {
    if (wait.cancellation.aborted || !this.#checkClock()) return false;
    if (ttlMs !== undefined && !(await this.#moveToTtl(ttlMs, wait.signal))) return false;
    await this.#lease.keepAlive({ signal: wait.signal });
    // A lease may live and the key be gone all the same.
    return this.isHeld({ signal: wait.signal });
  }

  /** @returns false when the lock is lost or released */
  async #moveToTtl(ttlMs: number, signal: AbortSignal): Promise<boolean> {
    const move = { hold: this.#hold, lease: this.#lease, ttlMs, signal, ended: this.#ended };
    if (!(await moveToTtl(this.#support, move))) this.#lose('its key was deleted');
    return this.#checkClock();
  }

  #waitFor(what: string, options: WaitOptions | undefined): Wait {
    assertValid(checkWaitOptions([], options));
    const timeoutMs = options?.timeoutMs ?? this.#support.requestTimeoutMs;
    return new Wait({ ...options, timeoutMs }, `${what} of lock "${this.key}"`);
  }

  #notHeldError(reason?: string): LockNotHeldError {
    const why = reason ?? (this.#state.type === 'released' ? this.#state.why : 'it was lost');
    return this.#report.notHeld(why, this.#interruption.reason);
  }
}

function heldOf(held: boolean): Subject {
  return { held };
}
