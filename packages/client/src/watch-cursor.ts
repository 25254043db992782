import type { IEvent } from 'etcd3';
import type { TxnCodec } from './txn-codec.js';
import type { WatchBatch, WatchEvent } from './watch.js';

/**
 * Where a watch stands in etcd's history, as pure state: what to ask for next, and what of a
 * response is news.
 *
 * The position is the last delivered event's revision + 1. The revision in a response's header is
 * the store's, which runs ahead of the events of a watch that is catching up, so it moves the
 * position only where etcd vouches for it: when a watch starts at "now", and in this watch's own
 * progress report.
 */
export class WatchCursor {
  readonly #codec: TxnCodec;
  #next: bigint;
  #fragments: IEvent[] = [];

  /** @param next the first revision wanted; 0n = whatever comes after the attach */
  constructor(codec: TxnCodec, next: bigint) {
    this.#codec = codec;
    this.#next = next;
  }

  /** The first revision not yet delivered; 0n before the first attach of a watch from "now". */
  get next(): bigint {
    return this.#next;
  }

  /** The server has attached the watch. */
  attached(headerRevision: bigint): void {
    this.#fragments = [];
    if (this.#next === 0n) this.#next = headerRevision + 1n;
  }

  /** The connection broke: what has not arrived whole will come again. */
  detached(): void {
    this.#fragments = [];
  }

  /** Everything before this revision has been dealt with otherwise. */
  skipTo(next: bigint): void {
    this.#fragments = [];
    this.#next = next;
  }

  /** Nothing is pending for this watch up to this revision. Returns whether that was news. */
  progress(revision: bigint): boolean {
    if (this.#fragments.length > 0 || revision < this.#next) return false;
    this.#next = revision + 1n;
    return true;
  }

  /** The whole revisions that a response completes, in order; each event exactly once. */
  take(events: readonly IEvent[], fragment: boolean): WatchBatch[] {
    if (fragment || this.#fragments.length > 0) this.#fragments.push(...events);
    if (fragment) return [];
    const complete = this.#fragments.length > 0 ? this.#fragments : events;
    this.#fragments = [];

    const batches: { revision: bigint; resync: false; events: WatchEvent[] }[] = [];
    for (const event of complete) {
      const kv = this.#codec.keyValue(event.kv);
      if (kv.modRevision < this.#next) continue;
      let batch = batches.at(-1);
      if (batch?.revision !== kv.modRevision) {
        batch = { revision: kv.modRevision, resync: false, events: [] };
        batches.push(batch);
      }
      // etcd3 types absent messages as present.
      const previous: typeof event.prev_kv | null = event.prev_kv;
      batch.events.push({
        type: event.type === 'Delete' ? 'delete' : 'put',
        key: kv.key,
        kv,
        ...(previous ? { previous: this.#codec.keyValue(previous) } : {}),
      });
    }
    const last = batches.at(-1);
    if (last !== undefined) this.#next = last.revision + 1n;
    return batches;
  }
}
