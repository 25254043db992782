import type { TxnCodec } from './txn-codec.js';
import type { WatchBatch, WatchEvent } from './watch.js';
import { EventType, type WatchEventMessage } from './watch-messages.js';

interface OpenBatch extends WatchBatch {
  readonly resync: false;
  readonly events: WatchEvent[];
}

/**
 * Where a watch stands in etcd's history, as pure state: what to ask for next, and what of a
 * response is news.
 *
 * The position is the last whole revision's + 1. The revision in a response's header is the
 * store's, which runs ahead of the events of a watch that is catching up, so it moves the position
 * only where etcd vouches for it: when a watch starts at "now", and in this watch's own progress
 * report. The answer to a `progress_request` (watch id −1) never does: before 3.4.25 and 3.5.8 it
 * overtakes events that are still to come (https://github.com/etcd-io/etcd/issues/15220).
 */
export class WatchCursor {
  readonly #codec: TxnCodec;
  #next: bigint;
  /** The newest revision of a response in fragments: there may be more of it in the next one. */
  #open: OpenBatch | undefined;

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
    this.#open = undefined;
    if (this.#next === 0n) this.#next = headerRevision + 1n;
  }

  /** The connection broke: what has not arrived whole will come again. */
  detached(): void {
    this.#open = undefined;
  }

  /** Nothing is pending for this watch up to this revision. Returns whether that was news. */
  progress(revision: bigint): boolean {
    if (this.#open !== undefined || revision < this.#next) return false;
    this.#next = revision + 1n;
    return true;
  }

  /**
   * The whole revisions that a response completes, in order; each event exactly once.
   * @param fragment whether the response goes on in the next one, perhaps in the middle of a revision
   */
  take(events: readonly WatchEventMessage[], fragment: boolean): WatchBatch[] {
    const whole: WatchBatch[] = [];
    let open = this.#open;
    for (const event of events) {
      const kv = this.#codec.keyValue(event.kv);
      if (kv.modRevision < this.#next) continue;
      if (open?.revision !== kv.modRevision) {
        if (open !== undefined) whole.push(open);
        open = { revision: kv.modRevision, resync: false, events: [] };
      }
      open.events.push({
        type: event.type === EventType.Delete ? 'delete' : 'put',
        key: kv.key,
        kv,
        ...(event.prev_kv ? { previous: this.#codec.keyValue(event.prev_kv) } : {}),
      });
    }
    if (open !== undefined && !fragment) {
      whole.push(open);
      open = undefined;
    }
    this.#open = open;
    const last = whole.at(-1);
    if (last !== undefined) this.#next = last.revision + 1n;
    return whole;
  }
}
