import type { OrderedMap } from 'immutable';

/** The entries of a cache at one moment: it never changes, whatever becomes of the cache. */
export class EntriesSnapshot<T> implements ReadonlyMap<string, T> {
  readonly #map: OrderedMap<string, T>;

  constructor(map: OrderedMap<string, T>) {
    this.#map = map;
  }

  get size(): number {
    return this.#map.size;
  }

  get(key: string): T | undefined {
    return this.#map.get(key);
  }

  has(key: string): boolean {
    return this.#map.has(key);
  }

  forEach(callback: (value: T, key: string, map: ReadonlyMap<string, T>) => void, thisArg?: unknown): void {
    for (const [key, value] of this.#map) callback.call(thisArg, value, key, this);
  }

  *entries(): MapIterator<[string, T]> {
    yield* this.#map;
  }

  *keys(): MapIterator<string> {
    yield* this.#map.keys();
  }

  *values(): MapIterator<T> {
    yield* this.#map.values();
  }

  [Symbol.iterator](): MapIterator<[string, T]> {
    return this.entries();
  }
}
