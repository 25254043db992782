import type { KeyValue } from './key-value.js';

export interface WatchEvent {
  readonly type: 'put' | 'delete';
  readonly key: string;
  /** For a delete: the key with an empty value, `modRevision` = the delete's revision. */
  readonly kv: KeyValue;
  /** What was there before; only with `previous: true`, and only as far as etcd still has it. */
  readonly previous?: KeyValue;
}

/** All events of one revision: what one transaction changed arrives as one batch. */
export interface WatchBatch {
  readonly revision: bigint;
  /** True when the history was compacted away and this is the difference instead. */
  readonly resync: boolean;
  readonly events: readonly WatchEvent[];
}

export interface WatchOptions {
  /** Start with the events of this revision; absent = from now on. */
  readonly startRevision?: bigint | undefined;
  /** Also deliver what was there before each event. @default false */
  readonly previous?: boolean | undefined;
  /** Leave out puts, or deletes. */
  readonly ignore?: 'put' | 'delete' | undefined;
  /**
   * What to do when the history was compacted before the watch could catch up:
   * `difference`: one batch with what changed among the keys seen; `snapshot`: one batch with every
   * key of the range; `error`: throw a `CompactedError` from the loop.
   * @default 'difference'
   */
  readonly resync?: 'difference' | 'snapshot' | 'error' | undefined;
  /** Batches held for a slow consumer before etcd is asked to pause; nothing is lost. @default 1024 */
  readonly maxBuffered?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A running watch: one batch a revision, each exactly once and in order, over any number of lost
 * connections. `break` or `close()` ends it; a failure that no reconnect can mend throws from the loop.
 */
export interface Watch extends AsyncIterable<WatchBatch>, AsyncDisposable {
  /** Resolves when the server has attached the watch for the first time. Never an unhandled rejection. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}
