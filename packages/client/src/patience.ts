const FIRST_MS = 30_000;
const MOST_MS = 10 * 60_000;
/** After so many times its patience without a line given up, the next one is a new trouble. */
const CALM = 4;

/**
 * How often a line may be given up that is silent, but not known to be dead: what is on its way there, or what
 * etcd takes long to prepare, begins anew on the next one, and would never come to an end. So the first is given up
 * at once, and each one after it after twice as long.
 */
export class Patience {
  #gaveUpAt = Number.NEGATIVE_INFINITY;
  #patienceMs = FIRST_MS;

  /** Whether it is time; asked for a line that has carried something. */
  isOver(now: number): boolean {
    return now - this.#gaveUpAt >= this.#patienceMs;
  }

  gaveUp(now: number): void {
    const calm = now - this.#gaveUpAt > CALM * this.#patienceMs;
    const isFirst = this.#gaveUpAt === Number.NEGATIVE_INFINITY;
    this.#patienceMs = calm || isFirst ? FIRST_MS : Math.min(this.#patienceMs * 2, MOST_MS);
    this.#gaveUpAt = now;
  }
}
