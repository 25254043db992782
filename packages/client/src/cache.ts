import type { KeyValue } from './key-value.js';
import type { WaitOptions } from './kv.js';

export type CacheSource = 'live' | 'stale' | 'disk';

export interface CacheOptions<T> {
  /**
   * Makes a value of the raw key-value pair. Return undefined to leave the key out. When it throws,
   * the key is left out and a warning is logged: a bad value isolates itself.
   */
  readonly decode: (kv: KeyValue) => T | undefined;
}

export interface CacheChange<T> {
  readonly type: 'put' | 'delete';
  readonly key: string;
  /** Absent after a delete, or when the value could not be decoded. */
  readonly value?: T;
  readonly previous?: T;
  /** The raw event: for a delete the key with an empty value. */
  readonly kv: KeyValue;
}

/** All changes of one revision, or the difference that a resync found. */
export interface CacheUpdate<T> {
  readonly revision: bigint;
  readonly resync: boolean;
  readonly changes: readonly CacheChange<T>[];
}

/**
 * A live local copy of a range: one list, then a watch from there.
 *
 * Reads are plain memory. When etcd is away the copy serves what it last knew and says so with
 * `source: 'stale'` and `ageMs`; it never shows an older revision than it has shown.
 */
export interface WatchCache<T> extends AsyncDisposable {
  /** Resolves when the first list is complete. Never an unhandled rejection. */
  readonly ready: Promise<void>;
  get(key: string): T | undefined;
  entries(): ReadonlyMap<string, T>;
  /** The revision that the copy has reached; 0n before the first list. */
  readonly revision: bigint;
  readonly source: CacheSource;
  /** Milliseconds since the copy was last known to follow etcd; 0 while live. */
  readonly ageMs: number;
  /** Resolves when the copy has reached this revision. */
  waitFor(revision: bigint, options?: WaitOptions): Promise<void>;
  /** Resolves when the copy holds every write that this client has made in its range so far. */
  synced(options?: WaitOptions): Promise<void>;
  /** Every change from this call on, one update a revision; call it in the same tick as `entries()` for a gap-free start. */
  changes(): AsyncIterable<CacheUpdate<T>> & AsyncDisposable;
  close(): Promise<void>;
}
