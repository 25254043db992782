import { isDeepStrictEqual } from 'node:util';

export type Listener<T> = (current: Readonly<T>, previous: Readonly<T>) => void | Promise<void>;

/** Whoever wants to hear of changes. A failing one harms nobody else. */
export class Subscribers<T> {
  readonly #listeners = new Set<Listener<T>>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  add(listener: Listener<T>): () => void {
    const entry: Listener<T> = (current, previous) => listener(current, previous); // the same function may come twice
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
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

  notify(current: Readonly<T>, previous: Readonly<T>): void {
    for (const listener of [...this.#listeners]) {
      if (!this.#listeners.has(listener)) continue; // another one has just ended it
      try {
        Promise.resolve(listener(current, previous)).catch(this.#onError);
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}
