/** Works off one item at a time. Of the items that wait only the newest counts. */
export class LatestQueue<T> {
  readonly #work: (item: T) => Promise<void>;
  #waiting: { readonly item: T } | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  /** @param work must not reject */
  constructor(work: (item: T) => Promise<void>) {
    this.#work = work;
  }

  offer(item: T): void {
    if (this.#closed) return;
    this.#waiting = { item };
    this.#running ??= this.#drain();
  }

  /** As `offer`, unless something waits already. */
  offerIfNoneWaits(item: T): void {
    if (this.#waiting === undefined) this.offer(item);
  }

  get busy(): boolean {
    return this.#running !== undefined;
  }

  /** Resolves when nothing runs and nothing waits. */
  idle(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }

  /** Drops what waits and takes nothing more; what runs goes on, see `idle`. */
  close(): void {
    this.#closed = true;
    this.#waiting = undefined;
  }

  async #drain(): Promise<void> {
    await Promise.resolve(); // so that `#running` is set before the work can call back
    while (this.#waiting !== undefined) {
      const { item } = this.#waiting;
      this.#waiting = undefined;
      await this.#work(item);
    }
    this.#running = undefined;
  }
}
