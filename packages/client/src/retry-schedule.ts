import { type Backoff, backoffDelayMs } from './backoff.js';
import { monotonicNow } from './clock.js';

/**
 * What repeating a call would do: nothing (`read`), nothing because it is guarded (`idempotent`),
 * or possibly apply it twice (`write`).
 */
export type CallKind = 'read' | 'idempotent' | 'write';

/**
 * What may be repeated is tried twice for a share of its time, so that a frozen member or a dead line
 * leaves time for another, and then for all that is left, so that what is merely slow gets done.
 */
const SHORT_ATTEMPTS = 2;
const SHORT_ATTEMPT_SHARE = 1 / 4;
export const MIN_ATTEMPT_MS = 500;

/** How the time of one call is spent on its attempts. */
export class RetrySchedule {
  readonly #kind: CallKind;
  readonly #timeoutMs: number;
  readonly #expiresAt: number;
  readonly #endpoints: number;
  readonly #maxAttempts: number;
  readonly #backoff: Backoff;

  /**
   * Begins now.
   * @param endpoints how many there are: each gets a turn before the call pauses
   */
  constructor(
    kind: CallKind,
    timeoutMs: number,
    retry: Backoff & { readonly maxAttempts: number },
    endpoints: number,
  ) {
    this.#kind = kind;
    this.#timeoutMs = timeoutMs;
    this.#expiresAt = monotonicNow() + timeoutMs;
    this.#endpoints = endpoints;
    this.#maxAttempts = Math.max(retry.maxAttempts, endpoints);
    this.#backoff = retry;
  }

  /** Until the deadline of the whole call, in whole milliseconds, at least 1. */
  get leftMs(): number {
    return Math.max(1, Math.round(this.#expiresAt - monotonicNow()));
  }

  /**
   * How long an attempt may take until it is sent, that is to connect and log in.
   * @param attempt from 1
   */
  preparationMs(attempt: number): number {
    const short = Math.min(SHORT_ATTEMPTS, this.#endpoints, this.#maxAttempts - 1);
    if (attempt > short) return this.leftMs;
    return Math.min(this.leftMs, Math.max(MIN_ATTEMPT_MS, Math.round(this.#timeoutMs * SHORT_ATTEMPT_SHARE)));
  }

  /** How long to wait for the answer to an attempt: a write that was sent is not sent again. */
  answerMs(attempt: number): number {
    return this.#kind === 'write' ? this.leftMs : this.preparationMs(attempt);
  }

  /** The pause before the next attempt; undefined when there is none. */
  pauseMs(attempt: number): number | undefined {
    if (attempt >= this.#maxAttempts) return undefined;
    // Other endpoints are tried at once; only when each has had its turn do we wait.
    const round = attempt - this.#endpoints + 1;
    const pauseMs = round < 1 ? 0 : backoffDelayMs(round, this.#backoff);
    return pauseMs < this.leftMs - 1 ? pauseMs : undefined;
  }
}
