import { monotonicNow } from './clock.js';

/** An answer that has been awaited for less says little: a sound member may be as busy, and so may this process. */
const FAIR_MS = 250;

/** How long an endpoint has let callers wait in vain: those with little time count together. */
export class Silence {
  readonly #fairMs: number;
  /** Since the last answer, however many have waited at a time. */
  #inVainMs = 0;
  #countedUntil = Number.NEGATIVE_INFINITY;

  /** @param requestTimeoutMs how long most calls wait: with less than twice the usual patience, half of it counts */
  constructor(requestTimeoutMs: number) {
    this.#fairMs = Math.min(FAIR_MS, requestTimeoutMs / 2);
  }

  /** It has answered something. */
  broken(): void {
    this.#inVainMs = 0;
  }

  /**
   * A call that has waited since that moment has been given up.
   * @returns whether the endpoint has been silent for so long that it is to blame
   */
  lasts(awaitedSince: number): boolean {
    const now = monotonicNow();
    this.#inVainMs += now - Math.max(awaitedSince, this.#countedUntil);
    this.#countedUntil = now;
    return Math.max(this.#inVainMs, now - awaitedSince) >= this.#fairMs;
  }
}
