/** Counts the failures of one thing, and tries it again after each but the last. */
export class Retries {
  #timer: NodeJS.Timeout | undefined;
  #count = 0;

  /** @returns whether there is another try */
  schedule(delaysMs: readonly number[], again: () => void): boolean {
    clearTimeout(this.#timer);
    const delayMs = delaysMs[this.#count];
    if (delayMs === undefined) return false;
    this.#count++;
    this.#timer = setTimeout(again, delayMs);
    return true;
  }

  reset(): void {
    clearTimeout(this.#timer);
    this.#count = 0;
  }
}
