import { monotonicNow } from '../clock.js';

/** Sweeps are at least this far apart, however many deadlines there are. */
const MIN_INTERVAL_MS = 5;

/** One timer for the deadlines of any number of calls: a timer for each would cost more than the call. */
export class DeadlineSweep {
  readonly #sweep: (now: number) => number;
  #dueAt = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  /** @param sweep gives up what is overdue, and returns the earliest deadline that is left, or infinity */
  constructor(sweep: (now: number) => number) {
    this.#sweep = sweep;
  }

  /** There is a deadline at this time, on the monotonic clock. */
  note(expiresAt: number): void {
    if (expiresAt >= this.#dueAt) return;
    this.#dueAt = expiresAt;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#run(), Math.max(MIN_INTERVAL_MS, expiresAt - monotonicNow()));
    this.#timer.unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#dueAt = Number.NEGATIVE_INFINITY;
  }

  #run(): void {
    this.#dueAt = Number.POSITIVE_INFINITY;
    const next = this.#sweep(monotonicNow());
    if (next < Number.POSITIVE_INFINITY) this.note(next);
  }
}
