import type { CallOptions } from '../kv.js';
import { type Carrier, type PendingCall, timeLeft } from './pending-call.js';

/** A batch under way, and who still wants its answer. */
export class BatchInFlight implements Carrier {
  /** The latest deadline of its calls. */
  readonly expiresAt: number;
  readonly #controller = new AbortController();
  #aboard = 0;

  constructor(calls: readonly PendingCall<unknown>[]) {
    let expiresAt = 0;
    for (const call of calls) {
      expiresAt = Math.max(expiresAt, call.deadline.expiresAt);
      this.#aboard++;
      call.board(this);
    }
    this.expiresAt = expiresAt;
  }

  /** How to send it now: until the latest deadline, unless nobody is left before. */
  sendOptions(now: number): CallOptions {
    return { timeoutMs: timeLeft(this, now), signal: this.#controller.signal };
  }

  leave(): void {
    if (--this.#aboard === 0) this.#controller.abort();
  }
}
