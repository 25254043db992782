import type { KeyValue } from './key-value.js';
import type { WaitOptions } from './kv.js';
import type { NamesOf } from './option-names.js';
import type { Key } from './range.js';
import { assertValid, type IssueList, readOptions, show } from './validation.js';

/**
 * `live`: attached to etcd and caught up. `stale`: what etcd had when it could last be reached.
 * `disk`: what an earlier process had written down; etcd has not answered yet.
 */
export type CacheSource = 'live' | 'stale' | 'disk';

/** How raw pairs become values, and where the last known good is kept. */
export interface CacheOptions<T> {
  /**
   * Makes a value of the raw key-value pair. Return undefined to leave the key out. When it throws,
   * the key is left out and a warning is logged: a bad value isolates itself.
   */
  readonly decode: (kv: KeyValue) => T | undefined;
  /**
   * A file for the last known good: written as a whole beside its place and moved there (mode 0600), at
   * most once a second and when the cache closes. When etcd does not answer within a second of the start,
   * the cache begins with it: `ready` resolves, `source` is `disk`. A damaged file, and one of another
   * range, namespace or cluster, is reported to the logger and not used. Several processes may share it:
   * the newest copy stays. It holds the values as they are, so keep secrets out or the folder private.
   */
  readonly snapshotFile?: string | undefined;
}

/** What became of one key of a live copy. */
export interface CacheChange<T> {
  readonly type: 'put' | 'delete';
  readonly key: string;
  /** Absent after a delete, or when the value could not be decoded. */
  readonly value?: T;
  readonly previous?: T;
  /** The raw event: for a delete the key with an empty value. */
  readonly kv: KeyValue;
}

/** All changes of one revision, or the difference between two states of the cache. */
export interface CacheUpdate<T> {
  readonly revision: bigint;
  /**
   * True for a difference, one change a key: after a compaction, for a reader who fell more than 1,024
   * changes behind, when the copy on disk is replaced, and (with a lower revision, perhaps without any
   * change) when etcd was restored from a backup or is another cluster now.
   */
  readonly resync: boolean;
  readonly changes: readonly CacheChange<T>[];
}

/**
 * A live local copy of a range: one list, then a watch from there.
 *
 * Reads are plain memory. When etcd is away the copy serves what it last knew and says so with
 * `source: 'stale'` and `ageMs`; it never shows an older revision than it has shown, unless etcd itself
 * has gone back: restored from a backup, or another cluster.
 *
 * A key that is not UTF-8 has no text of its own: in `entries()` and `changes()` its name is U+D800,
 * which no text begins with, and its bytes as latin1. `get` also takes the bytes.
 */
export interface WatchCache<T> extends AsyncDisposable {
  /** Resolves when there is something to read: the first list, or the copy on disk (`source` tells). Never an unhandled rejection. */
  readonly ready: Promise<void>;
  /** The value of a key, out of memory; undefined if there is none or it could not be decoded. */
  get(key: Key): T | undefined;
  /** All of it at this moment: it does not change afterwards. Costs nothing when nothing has changed, and little when little has. */
  entries(): ReadonlyMap<string, T>;
  /** The revision that the copy has reached; 0n before there is one. */
  readonly revision: bigint;
  readonly source: CacheSource;
  /** Milliseconds since the copy was last known to follow etcd; 0 while live. */
  readonly ageMs: number;
  /** Resolves when the copy has reached this revision. */
  waitFor(revision: bigint, options?: WaitOptions): Promise<void>;
  /** Resolves when the copy holds every write that this client has made in its range so far. */
  synced(options?: WaitOptions): Promise<void>;
  /**
   * Every change from this call on, one update a revision; call it in the same tick as `entries()` for a gap-free
   * start. What a slow reader has not taken is bounded: beyond 1,024 changes the newest are merged to one a key.
   */
  changes(): AsyncIterable<CacheUpdate<T>> & AsyncDisposable;
  /** Resolves when the snapshot file, if there is one, is up to date. */
  close(): Promise<void>;
}

const NAMES = { decode: true, snapshotFile: true } satisfies NamesOf<CacheOptions<unknown>>;

/** @throws {ValidationError} */
export function readCacheOptions<T>(given: CacheOptions<T>): CacheOptions<T> {
  const issues: IssueList = [];
  const options = readOptions(issues, given, NAMES);
  const { decode, snapshotFile } = options;
  if (typeof decode !== 'function') {
    issues.push({ path: 'decode', message: `must be a function, got ${show(decode)}` });
  }
  if (snapshotFile !== undefined && !isPath(snapshotFile)) {
    issues.push({ path: 'snapshotFile', message: `must be the path of a file, got ${show(snapshotFile)}` });
  }
  assertValid(issues);
  return options;
}

function isPath(path: unknown): boolean {
  return typeof path === 'string' && path !== '' && path.isWellFormed() && !path.includes('\0');
}
