import { keyName } from './key-name.js';
import type { KeyValue } from './key-value.js';
import type { WatchBatch, WatchEvent } from './watch.js';
import { deletedKeyValue } from './watch-iterator.js';
import type { Snapshot } from './watch-subscription.js';

/** The keys of a range as they are known here, and what each piece of news changes: pure state. */
export class RangeCopy {
  readonly #entries = new Map<string, KeyValue>();
  #revision = 0n;

  /** By `keyName`. It changes under the reader's hands. */
  get entries(): ReadonlyMap<string, KeyValue> {
    return this.#entries;
  }

  /** The revision that the copy has reached; 0n before the first list. */
  get revision(): bigint {
    return this.#revision;
  }

  /** Nothing has changed up to here. */
  advance(revision: bigint): void {
    this.#revision = revision;
  }

  /** Takes a revision over; returns its events with what was there before each. */
  apply(batch: WatchBatch): WatchBatch {
    const events = batch.events.map(({ type, kv }): WatchEvent => {
      const key = keyName(kv);
      const previous = this.#entries.get(key);
      if (type === 'put') this.#entries.set(key, kv);
      else this.#entries.delete(key);
      return previous === undefined ? { type, key, kv } : { type, key, kv, previous };
    });
    this.#revision = batch.revision;
    return { ...batch, events };
  }

  /**
   * Becomes what a list shows; returns the difference.
   * @param newHistory revisions of before say nothing about those of the list
   */
  replace({ revision, kvs }: Snapshot, newHistory: boolean): WatchBatch {
    const gone = new Map(this.#entries);
    const events: WatchEvent[] = [];
    for (const kv of kvs) {
      const key = keyName(kv);
      const previous = gone.get(key);
      gone.delete(key);
      if (previous !== undefined && same(previous, kv, newHistory)) continue;
      this.#entries.set(key, kv);
      events.push({ type: 'put', key, kv, ...(previous ? { previous } : {}) });
    }
    for (const [key, previous] of gone) {
      this.#entries.delete(key);
      events.push({ type: 'delete', key, kv: deletedKeyValue(previous.rawKey, revision), previous });
    }
    this.#revision = revision;
    return { revision, resync: true, events };
  }
}

function same(a: KeyValue, b: KeyValue, newHistory: boolean): boolean {
  if (a.modRevision !== b.modRevision) return false;
  if (!newHistory) return true;
  const { createRevision, version, leaseId } = b;
  if (a.createRevision !== createRevision || a.version !== version || a.leaseId !== leaseId) return false;
  return Buffer.compare(a.value, b.value) === 0;
}
