/** Makes a verdict of a row of results: one that failed, or one that succeeded, does not count for much. */
export class HealthHysteresis {
  readonly #unhealthyAfter: number;
  readonly #healthyAfter: number;
  #failures = 0;
  #successes = 0;

  constructor(limits: { readonly unhealthyAfter: number; readonly healthyAfter: number }) {
    this.#unhealthyAfter = limits.unhealthyAfter;
    this.#healthyAfter = limits.healthyAfter;
  }

  /** @returns the verdict; undefined while the results do not allow of one */
  add(passed: boolean): 'healthy' | 'unhealthy' | undefined {
    this.#successes = passed ? this.#successes + 1 : 0;
    this.#failures = passed ? 0 : this.#failures + 1;
    if (this.#successes >= this.#healthyAfter) return 'healthy';
    return this.#failures >= this.#unhealthyAfter ? 'unhealthy' : undefined;
  }
}
