/**
 * The bridge from callbacks to `for await`: values pushed on one side come out on the other, in order.
 *
 * One consumer only. `break` (or `return()`) calls `onClose` once; so does `end` or `fail`.
 */
export class PushIterator<T> implements AsyncIterableIterator<T>, AsyncDisposable {
  readonly #values: T[] = [];
  #waiting: { resolve(result: IteratorResult<T>): void; reject(error: unknown): void }[] = [];
  #done: { error?: unknown } | undefined;
  #onClose: (() => void) | undefined;
  #onTake: (() => void) | undefined;

  /**
   * @param hooks.onClose the consumer or the producer has ended it
   * @param hooks.onTake a value has left the buffer
   */
  constructor(hooks: { onClose?: (() => void) | undefined; onTake?: (() => void) | undefined } = {}) {
    this.#onClose = hooks.onClose;
    this.#onTake = hooks.onTake;
  }

  /** Values pushed and not yet taken. */
  get size(): number {
    return this.#values.length;
  }

  get closed(): boolean {
    return this.#done !== undefined;
  }

  /** Does nothing once closed. */
  push(value: T): void {
    if (this.#done !== undefined) return;
    const waiting = this.#waiting.shift();
    if (waiting) {
      waiting.resolve({ done: false, value });
      this.#onTake?.();
    } else {
      this.#values.push(value);
    }
  }

  /** Replaces everything that has not been taken yet: for consumers that only want the newest. */
  replace(value: T): void {
    this.#values.length = 0;
    this.push(value);
  }

  /** Ends after the values already pushed. */
  end(): void {
    this.#close({});
  }

  /** Throws from the loop, after the values already pushed. */
  fail(error: unknown): void {
    this.#close({ error });
  }

  next(): Promise<IteratorResult<T>> {
    const value = this.#values.shift();
    if (value !== undefined) {
      this.#onTake?.();
      return Promise.resolve({ done: false, value });
    }
    if (this.#done === undefined) {
      return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    }
    if (!('error' in this.#done)) return Promise.resolve({ done: true, value: undefined });
    const { error } = this.#done;
    this.#done = {};
    return Promise.reject(error);
  }

  return(): Promise<IteratorResult<T>> {
    this.#values.length = 0;
    this.#close({});
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #close(done: { error?: unknown }): void {
    if (this.#done !== undefined) return;
    this.#done = done;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const [index, waiter] of waiting.entries()) {
      if (index === 0 && 'error' in done) {
        this.#done = {};
        waiter.reject(done.error);
      } else {
        waiter.resolve({ done: true, value: undefined });
      }
    }
    this.#onClose?.();
  }
}
