import type { CallOptions, TxnRequest, TxnResult, WaitOptions } from '@coord/client';
import { assertValid, checkTtlMs, checkWaitOptions } from '@coord/client/internal';
import { LockExpiredError, LockNotHeldError } from './errors.js';
import type { Lock } from './lock.js';
import type { ReentrantLock } from './reentrant-lock.js';

/** A lock and how often it was entered. */
export class ReentrantHold {
  readonly lock: Lock;
  readonly #onLeft: () => void;
  #entries = 0;
  #wasEntered = false;

  /** @param onLeft called when the last entry is left */
  constructor(lock: Lock, onLeft: () => void) {
    this.lock = lock;
    this.#onLeft = onLeft;
  }

  get entries(): number {
    return this.isOpen ? this.#entries : 0;
  }

  get wasEntered(): boolean {
    return this.#wasEntered;
  }

  /** Whether there is something to enter, by the local clock. */
  get isOpen(): boolean {
    if (this.#wasEntered && this.#entries === 0) return false;
    try {
      this.lock.assertHeld();
      return true;
    } catch {
      return false;
    }
  }

  /** @throws {LockExpiredError} or {LockNotHeldError} when it is not held any more */
  enter(): ReentrantLock {
    this.lock.assertHeld();
    this.#entries += 1;
    this.#wasEntered = true;
    return new ReentrantEntry(this);
  }

  /** @returns whether that was the last one */
  leave(): boolean {
    this.#entries -= 1;
    if (this.#entries > 0) return false;
    this.#onLeft();
    return true;
  }
}

type State = 'entered' | 'left' | 'left-last';

/** One of the entries: the lock itself, until it is left. */
class ReentrantEntry implements ReentrantLock {
  readonly #hold: ReentrantHold;
  #state: State = 'entered';

  constructor(hold: ReentrantHold) {
    this.#hold = hold;
  }

  get key(): string {
    return this.#hold.lock.key;
  }

  get etcdKey(): string {
    return this.#hold.lock.etcdKey;
  }

  get fencingToken(): bigint {
    return this.#hold.lock.fencingToken;
  }

  get signal(): AbortSignal {
    return this.#hold.lock.signal;
  }

  get acquireCount(): number {
    return this.#hold.entries;
  }

  async reenter(): Promise<ReentrantLock> {
    this.#assertEntered();
    return this.#hold.enter();
  }

  async release(options?: WaitOptions): Promise<void> {
    assertValid(checkWaitOptions([], options));
    if (this.#state === 'entered') this.#state = this.#hold.leave() ? 'left-last' : this.#leaveOthers();
    // Also when it is asked again: the first time etcd may not have confirmed it.
    if (this.#state === 'left-last') await this.#hold.lock.release(options);
  }

  unlock(options?: WaitOptions): Promise<void> {
    return this.release(options);
  }

  async renew(ttlMs?: number, options?: WaitOptions): Promise<boolean> {
    const issues = checkWaitOptions([], options);
    if (ttlMs !== undefined) checkTtlMs(issues, 'ttlMs', ttlMs);
    assertValid(issues);
    return this.#state === 'entered' && this.#hold.lock.renew(ttlMs, options);
  }

  async isHeld(options?: WaitOptions): Promise<boolean> {
    assertValid(checkWaitOptions([], options));
    return this.#state === 'entered' && this.#hold.lock.isHeld(options);
  }

  isExpired(options?: WaitOptions): Promise<boolean> {
    return this.#hold.lock.isExpired(options);
  }

  async ttl(): Promise<number> {
    return this.#state === 'entered' ? this.#hold.lock.ttl() : 0;
  }

  assertHeld(): void {
    this.#assertEntered();
    this.#hold.lock.assertHeld();
  }

  async txn(request: TxnRequest, options?: CallOptions): Promise<TxnResult> {
    this.#assertEntered();
    return this.#hold.lock.txn(request, options);
  }

  toJSON(): Record<string, unknown> {
    return { ...this.#hold.lock.toJSON(), acquireCount: this.acquireCount };
  }

  /** As with any lock: it does not throw for what is already gone, and an unconfirmed release goes on. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === 'entered') {
      this.#state = this.#hold.leave() ? 'left-last' : 'left';
    }
    if (this.#state === 'left-last') await this.#hold.lock[Symbol.asyncDispose]();
  }

  /** Others are still inside; whoever leaves a lock that was lost is told so all the same. */
  #leaveOthers(): State {
    this.#state = 'left';
    try {
      this.#hold.lock.assertHeld();
    } catch (cause) {
      if (!(cause instanceof LockExpiredError)) throw cause;
      throw new LockNotHeldError(this.key, this.fencingToken, 'it was lost', { cause });
    }
    return 'left';
  }

  #assertEntered(): void {
    if (this.#state === 'entered') return;
    throw new LockNotHeldError(this.key, this.fencingToken, 'this entry into it was released');
  }
}
