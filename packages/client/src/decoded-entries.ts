import { OrderedMap } from 'immutable';
import { EntriesSnapshot } from './entries-snapshot.js';
import type { KeyValue } from './key-value.js';
import type { WatchEvent } from './watch.js';

/**
 * The decoded values of a copy, as a persistent map: a change costs the same however many keys there
 * are, and so does a snapshot.
 */
export class DecodedEntries<T> {
  readonly #decode: (kv: KeyValue) => T | undefined;
  #map: OrderedMap<string, T>;
  #snapshot: EntriesSnapshot<T> | undefined;

  /** @param decode does not throw; undefined leaves the key out */
  constructor(raw: ReadonlyMap<string, KeyValue>, decode: (kv: KeyValue) => T | undefined) {
    this.#decode = decode;
    this.#map = OrderedMap<string, T>().withMutations((map) => {
      for (const [key, kv] of raw) {
        const value = decode(kv);
        if (value !== undefined) map.set(key, value);
      }
    });
  }

  get snapshot(): ReadonlyMap<string, T> {
    this.#snapshot ??= new EntriesSnapshot(this.#map);
    return this.#snapshot;
  }

  apply(events: readonly WatchEvent[]): void {
    this.#snapshot = undefined;
    this.#map = this.#map.withMutations((map) => {
      for (const { type, key, kv } of events) {
        const value = type === 'put' ? this.#decode(kv) : undefined;
        if (value === undefined) map.delete(key);
        else map.set(key, value);
      }
    });
  }
}
