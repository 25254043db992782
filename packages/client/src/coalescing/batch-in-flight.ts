import type { SendOptions } from '../transport.js';
import type { Carrier, PendingCall } from './pending-call.js';

/** A batch under way, and who still wants its answer. */
export class BatchInFlight implements Carrier {
  /** The latest deadline of its calls. */
  readonly expiresAt: number;
  /** The earliest of them. */
  readonly #firstExpiresAt: number;
  readonly #controller = new AbortController();
  #aboard = 0;

  constructor(calls: readonly PendingCall<unknown>[]) {
    let expiresAt = 0;
    let firstExpiresAt = Number.POSITIVE_INFINITY;
    for (const call of calls) {
      expiresAt = Math.max(expiresAt, call.deadline.expiresAt);
      firstExpiresAt = Math.min(firstExpiresAt, call.deadline.expiresAt);
      this.#aboard++;
      call.board(this);
    }
    this.expiresAt = expiresAt;
    this.#firstExpiresAt = firstExpiresAt;
  }

  /** How to send it now: until the latest deadline, unless nobody is left before. */
  sendOptions(now: number): SendOptions {
    const timeoutMs = Math.max(1, this.expiresAt - now);
    const patienceMs = Math.max(1, this.#firstExpiresAt - now);
    const { signal } = this.#controller;
    // Where all have about as much time, the deadline itself tells of a dead line.
    return patienceMs < timeoutMs / 2 ? { timeoutMs, signal, patienceMs } : { timeoutMs, signal };
  }

  leave(): void {
    if (--this.#aboard === 0) this.#controller.abort();
  }
}
