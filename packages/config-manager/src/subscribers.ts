import { isDeepStrictEqual } from 'node:util';

export type Listener<T> = (current: Readonly<T>, previous: Readonly<T>) => void | Promise<void>;

/** Whoever wants to hear of changes. A failing one harms nobody else. */
export class Subscribers<T> {
  readonly #subscriptions = new Set<Subscription<T>>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  add(listener: Listener<T>): () => void {
    const subscription = new Subscription(listener, this.#onError);
    this.#subscriptions.add(subscription);
    return () => {
      this.#subscriptions.delete(subscription);
      subscription.drop();
      subscription.ended = true;
    };
  }

  addSelected<S>(
    selector: (config: Readonly<T>) => S,
    callback: (current: S, previous: S) => void | Promise<void>,
  ): () => void {
    return this.add((current, previous) => {
      const [now, before] = [selector(current), selector(previous)];
      return isDeepStrictEqual(now, before) ? undefined : callback(now, before);
    });
  }

  /** Of two configurations that are not equal. */
  notify(current: Readonly<T>, previous: Readonly<T>): void {
    for (const subscription of [...this.#subscriptions]) subscription.tell(current, previous);
  }

  /** Drops what has not been told yet. */
  drop(): void {
    for (const subscription of this.#subscriptions) subscription.drop();
  }
}

/**
 * Tells one listener one change at a time. While it is busy with one (its promise is pending), the next
 * wait, and become a single one: from what it was told last to what is current.
 */
class Subscription<T> {
  readonly #listener: Listener<T>;
  readonly #onError: (error: unknown) => void;
  #busy = false;
  #next: { current: Readonly<T>; readonly previous: Readonly<T>; merged: boolean } | undefined;
  ended = false;

  constructor(listener: Listener<T>, onError: (error: unknown) => void) {
    this.#listener = listener;
    this.#onError = onError;
  }

  tell(current: Readonly<T>, previous: Readonly<T>): void {
    if (this.ended) return; // another listener has just ended it
    if (this.#next === undefined) this.#next = { current, previous, merged: false };
    else Object.assign(this.#next, { current, merged: true });
    if (!this.#busy) this.#work();
  }

  drop(): void {
    this.#next = undefined;
  }

  #work(): void {
    while (this.#next !== undefined) {
      const { current, previous, merged } = this.#next;
      this.#next = undefined;
      if (merged && isDeepStrictEqual(current, previous)) continue; // there and back while it was busy
      try {
        const result = this.#listener(current, previous);
        if (result === undefined) continue;
        this.#busy = true;
        Promise.resolve(result)
          .catch(this.#onError)
          .finally(() => {
            this.#busy = false;
            this.#work();
          });
        return;
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}
