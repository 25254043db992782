import { MIN_ATTEMPT_MS } from '../retry-schedule.js';

/**
 * The times that the calls of one request have left. A request goes by the longest of them, so they must be
 * similar: who has little time is to leave a dead line about as soon as he would by himself.
 */
export class SimilarTimes {
  #shortest = Number.POSITIVE_INFINITY;
  #longest = 0;

  /** Takes one more, unless it is too different: more than twice as long as another, and as any attempt takes. */
  take(leftMs: number): boolean {
    const shortest = Math.min(this.#shortest, leftMs);
    const longest = Math.max(this.#longest, leftMs);
    if (longest > Math.max(2 * shortest, MIN_ATTEMPT_MS)) return false;
    this.#shortest = shortest;
    this.#longest = longest;
    return true;
  }
}
