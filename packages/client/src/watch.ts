import type { KeyValue } from './key-value.js';

/** One put or delete. */
export interface WatchEvent {
  readonly type: 'put' | 'delete';
  readonly key: string;
  /** For a delete: the key with an empty value, `modRevision` = the delete's revision. */
  readonly kv: KeyValue;
  /** What was there before; only with `previous: true`, and only as far as etcd still has it. */
  readonly previous?: KeyValue;
}

/**
 * All events of one revision: what one transaction changed arrives as one batch, and so do calls that
 * shared a request.
 */
export interface WatchBatch {
  readonly revision: bigint;
  /** True when the history was compacted away and this is the difference instead. */
  readonly resync: boolean;
  readonly events: readonly WatchEvent[];
}

/** Where a watch starts, and what it delivers. */
export interface WatchOptions {
  /**
   * Start with the events of this revision, 0n to 2^63−1; absent or 0n = from now on. One that is
   * still to come is waited for. One in the past costs up to 0.1 s more until the first event; when the
   * one before it is compacted, so is its place, for some versions of etcd have forgotten deletes then.
   */
  readonly startRevision?: bigint | undefined;
  /** Also deliver what was there before each event. @default false */
  readonly previous?: boolean | undefined;
  /** Leave out puts, or deletes. @default neither is left out */
  readonly ignore?: 'put' | 'delete' | undefined;
  /**
   * What to do when the history was compacted before the watch could catch up, or is another one,
   * since the cluster was restored from a backup:
   * `difference`: one batch with what changed among the keys seen; `snapshot`: one batch with every
   * key of the range; `error`: throw a `CompactedError` from the loop.
   * @default 'difference'
   */
  readonly resync?: 'difference' | 'snapshot' | 'error' | undefined;
  /**
   * Batches held for a slow consumer before etcd is asked to pause; nothing is lost. What has
   * arrived in one message, at most 1,000 revisions, is still taken. @default 1024
   */
  readonly maxBuffered?: number | undefined;
  /** Ends the watch: its loop throws an `AbortedError`. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A running watch: one batch a revision, each exactly once and in order, over any number of lost
 * connections. `break` or `close()` ends it, at once and whatever the server does; a failure that no
 * reconnect can mend throws from the loop:
 *
 * @throws {PermissionError} the user may not read the range
 * @throws {AuthError} etcd does not accept the user, or wants one
 * @throws {CompactedError} its place in the history is gone, with `resync: 'error'`
 * @throws {AbortedError} the signal has fired
 * @throws {TypeError} at a second loop
 * @example
 * ```ts
 * import { connect } from '@coord/client';
 *
 * const client = await connect({ endpoints: ['127.0.0.1:2379'] });
 * const watch = client.watch({ prefix: 'jobs/' });
 * await watch.ready;
 * await client.kv.put('jobs/1', 'new');
 * for await (const { revision, events } of watch) {
 *   console.log(revision, events.map(({ type, key }) => `${type} ${key}`));
 *   break;
 * }
 * await client.close();
 * ```
 */
export interface Watch extends AsyncIterable<WatchBatch>, AsyncDisposable {
  /** Resolves when the server has attached the watch for the first time. Never an unhandled rejection. */
  readonly ready: Promise<void>;
  /** Ends the watch and its loop. Safe to call again. */
  close(): Promise<void>;
}
