import type { RpcStream } from './rpc.js';
import {
  type WatchCreateRequest,
  type WatchEventMessage,
  WatchFilter,
  type WatchResponse,
} from './watch-messages.js';

/** One watch on the server. It is told everything synchronously and must not throw. */
export interface MuxedWatch {
  /** A key of its range. */
  readonly key: Buffer;
  /** The oldest revision that etcd must still have, so that nothing is missed; 0n = it starts from now on. */
  readonly needs: bigint;
  /** What to ask the server for, from where the watch stands now. Called when it is sent. */
  createRequest(): WatchCreateRequest;
  attached(headerRevision: bigint): void;
  events(events: readonly WatchEventMessage[], fragment: boolean): void;
  /** There is nothing to come up to this revision. */
  progress(revision: bigint): void;
}

interface Attachment<W> {
  /** Undefined: not wanted any more, or never (a probe). */
  watch: W | undefined;
  /** The server's name for it, once it is created. */
  id: number | undefined;
}

/** The server ended or refused a watch. */
export interface Cancellation<W> {
  readonly watch: W;
  readonly compactRevision: bigint;
  readonly reason: string;
}

/** Requests written in one turn of the event loop: thousands at once must not hold up everything else. */
const WRITES_A_TURN = 128;

/** A watch on which nothing ever happens. */
const PROBE = {
  key: Buffer.of(0),
  filters: [WatchFilter.Noput, WatchFilter.Nodelete],
} satisfies WatchCreateRequest;

/**
 * The watches on one stream. Creates are pipelined; the server answers them in order, and only its
 * answer tells the id, so they are matched to the oldest one unanswered.
 */
export class WatchAttachments<W extends MuxedWatch> {
  readonly #stream: RpcStream<'watch'>;
  readonly #toCreate = new Set<W>();
  #toCancel: number[] = [];
  readonly #unanswered = new Queue<Attachment<W>>();
  readonly #byWatch = new Map<W, Attachment<W>>();
  readonly #byId = new Map<number, Attachment<W>>();
  #writing = false;
  #ended = false;

  constructor(stream: RpcStream<'watch'>) {
    this.#stream = stream;
  }

  /** Whether the server owes an answer. */
  get awaitsAnswer(): boolean {
    return this.#unanswered.size > 0;
  }

  create(watch: W): void {
    this.#toCreate.add(watch);
    this.#writeSoon();
  }

  /** Takes effect at once; what is on its way is dropped. */
  remove(watch: W): void {
    if (this.#toCreate.delete(watch)) return;
    const attachment = this.#byWatch.get(watch);
    if (attachment === undefined) return;
    this.#byWatch.delete(watch);
    attachment.watch = undefined;
    if (attachment.id === undefined) return; // cancelled when the server has told the id
    this.#byId.delete(attachment.id);
    this.#cancel(attachment.id);
  }

  /** Asks for a sign of life. Unlike `progress_request`, a create is answered also while a watch catches up. */
  probe(): void {
    this.#unanswered.push({ watch: undefined, id: undefined });
    this.#stream.write({ create_request: PROBE });
  }

  /** Passes on what the server says. Returns the watch that it has ended, if it has. */
  received(response: WatchResponse): Cancellation<W> | undefined {
    if (response.created) return this.#created(response);
    const attachment = this.#byId.get(response.watch_id);
    const watch = attachment?.watch;
    if (!watch) return undefined;
    if (response.canceled) return this.#canceled(watch, response);
    if (response.events.length > 0 || response.fragment) watch.events(response.events, response.fragment);
    else watch.progress(response.header.revision);
    return undefined;
  }

  /** The stream is gone. */
  end(): void {
    this.#ended = true;
  }

  #created(response: WatchResponse): Cancellation<W> | undefined {
    const attachment = this.#unanswered.shift();
    const watch = attachment?.watch;
    if (response.canceled) return watch && this.#canceled(watch, response);
    if (!attachment || !watch) {
      this.#cancel(response.watch_id);
      return undefined;
    }
    attachment.id = response.watch_id;
    this.#byId.set(attachment.id, attachment);
    watch.attached(response.header.revision);
    return undefined;
  }

  #canceled(watch: W, response: WatchResponse): Cancellation<W> {
    this.#byWatch.delete(watch);
    this.#byId.delete(response.watch_id);
    return { watch, compactRevision: response.compact_revision, reason: response.cancel_reason };
  }

  #cancel(id: number): void {
    this.#toCancel.push(id);
    this.#writeSoon();
  }

  #writeSoon(): void {
    if (this.#writing) return;
    this.#writing = true;
    queueMicrotask(() => this.#write());
  }

  #write(): void {
    this.#writing = false;
    if (this.#ended) return;
    let left = WRITES_A_TURN;
    for (const watch of this.#toCreate) {
      if (left-- === 0) break;
      this.#toCreate.delete(watch);
      const attachment: Attachment<W> = { watch, id: undefined };
      this.#byWatch.set(watch, attachment);
      this.#unanswered.push(attachment);
      this.#stream.write({ create_request: watch.createRequest() });
    }
    for (const id of this.#toCancel.splice(0, Math.max(left, 1))) {
      this.#stream.write({ cancel_request: { watch_id: id } });
    }
    if (this.#toCreate.size === 0 && this.#toCancel.length === 0) return;
    this.#writing = true;
    setImmediate(() => this.#write());
  }
}

/** First in, first out, without moving the rest at each step. */
class Queue<T> {
  #items: T[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (this.#head < this.#items.length) this.#head++;
    if (this.#head === this.#items.length || this.#head > 4_096) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
