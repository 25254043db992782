/** One who is to be told. */
interface Listener {
  readonly onAbort: () => void;
}

/**
 * A cancellation that costs next to nothing until somebody asks for its `AbortSignal`: making,
 * listening to and collecting one takes longer than a call that shares its request with others.
 */
export class Cancellation {
  #isAborted = false;
  #reason: unknown;
  /** Usually there is one at a time, and it needs no set. */
  #listener: Listener | undefined;
  #others: Set<Listener> | undefined;
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
    const [first, others] = [this.#listener, this.#others];
    this.#listener = undefined;
    this.#others = undefined;
    first?.onAbort();
    if (others !== undefined) for (const { onAbort } of others) onAbort();
  }

  /** Calls back once, at once if it is aborted already; returns the function that stops it. It must not throw. */
  onAbort(callback: () => void): () => void {
    if (this.#isAborted) {
      callback();
      return () => undefined;
    }
    const listener = { onAbort: callback };
    this.#add(listener);
    return () => this.#remove(listener);
  }

  throwIfAborted(): void {
    if (this.#isAborted) throw this.#reason;
  }

  /** The promise's result, or the reason, whichever comes first. */
  race<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const listener = { onAbort: () => reject(this.#reason) };
      if (this.#isAborted) listener.onAbort();
      else this.#add(listener);
      promise.then(
        (value) => {
          this.#remove(listener);
          resolve(value);
        },
        (error: unknown) => {
          this.#remove(listener);
          reject(error);
        },
      );
    });
  }

  #add(listener: Listener): void {
    if (this.#listener === undefined && this.#others === undefined) {
      this.#listener = listener;
      return;
    }
    this.#others ??= new Set();
    this.#others.add(listener);
  }

  #remove(listener: Listener): void {
    if (this.#listener === listener) this.#listener = undefined;
    else this.#others?.delete(listener);
  }
}
