/**
 * A cancellation that costs next to nothing until somebody asks for its `AbortSignal`: making,
 * listening to and collecting one takes longer than a call that shares its request with others.
 */
export class Cancellation {
  #isAborted = false;
  #reason: unknown;
  #callbacks: Set<() => void> | undefined;
  #controller: AbortController | undefined;

  get aborted(): boolean {
    return this.#isAborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isAborted) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** The first reason counts. */
  abort(reason: unknown): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    this.#reason = reason;
    this.#controller?.abort(reason);
    const callbacks = this.#callbacks;
    this.#callbacks = undefined;
    if (callbacks !== undefined) for (const callback of callbacks) callback();
  }

  /** Calls back once, at once if it is aborted already; returns the function that stops it. It must not throw. */
  onAbort(callback: () => void): () => void {
    if (this.#isAborted) {
      callback();
      return () => undefined;
    }
    const own = () => callback();
    this.#callbacks ??= new Set();
    this.#callbacks.add(own);
    return () => this.#callbacks?.delete(own);
  }

  throwIfAborted(): void {
    if (this.#isAborted) throw this.#reason;
  }

  /** The promise's result, or the reason, whichever comes first. */
  race<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const stop = this.onAbort(() => reject(this.#reason));
      promise.then(
        (value) => {
          stop();
          resolve(value);
        },
        (error: unknown) => {
          stop();
          reject(error);
        },
      );
    });
  }
}
