import type {
  WatchCreateRequest,
  WatchEventMessage,
  WatchRequest,
  WatchResponse,
} from '../../src/watch-messages.js';
import { EventType } from '../../src/watch-messages.js';
import type { HistoryModel } from './history-model.js';
import type { ScriptedStream } from './scripted-transport.js';

interface ServerWatch {
  readonly id: number;
  readonly prefix: string;
  /** Where it began, if that was in the past. */
  readonly pastStart: bigint | undefined;
  /** The next revision to send. */
  next: bigint;
}

/** The member's end of a watch stream: it may lag behind the cluster, and sends whenever the schedule says so. */
export class WatchServer {
  readonly stream: ScriptedStream;
  readonly #history: HistoryModel;
  /** How far this member has come. */
  #seen: bigint;
  #worked = 0;
  #made = 0;
  readonly #watches: ServerWatch[] = [];
  readonly #responses: WatchResponse[] = [];

  /** @param lag how many revisions it is behind */
  constructor(stream: ScriptedStream, history: HistoryModel, lag: number) {
    this.stream = stream;
    this.#history = history;
    const behind = history.revision - BigInt(lag);
    this.#seen = behind > history.compacted ? behind : history.revision;
  }

  get hasRequests(): boolean {
    return this.#worked < this.stream.written.length;
  }

  get hasResponses(): boolean {
    return this.#responses.length > 0;
  }

  get watches(): number {
    return this.#watches.length;
  }

  catchUp(): void {
    this.#seen = this.#history.revision;
  }

  /** Works off the next request. */
  work(): void {
    const request = this.stream.written[this.#worked]?.request as WatchRequest | undefined;
    if (request === undefined) return;
    this.#worked++;
    if ('create_request' in request) this.#create(request.create_request);
    else this.#end(request.cancel_request.watch_id, 0n);
  }

  /**
   * Sends what a watch is still to be told, up to so many revisions; if there is nothing, that there is nothing.
   * @param cut after so many events the response goes on in another one
   */
  send(which: number, revisions: number, cut: number): void {
    const watch = this.#watches[which % this.#watches.length];
    if (watch === undefined) return;
    const { compacted } = this.#history;
    if (watch.next < compacted && compacted <= this.#seen) {
      this.#end(watch.id, compacted);
      return;
    }
    const changes = this.#history.changes(watch.prefix, watch.next, this.#seen).slice(0, revisions);
    const last = changes.at(-1);
    if (last === undefined) {
      if (watch.next <= this.#seen) watch.next = this.#seen + 1n;
      if (watch.next === this.#seen + 1n) this.#respond({ watch_id: watch.id });
      return;
    }
    watch.next = last.revision + 1n;
    const events = changes
      .flatMap((change) => [...change.events])
      .filter((event) => !this.#isForgotten(watch, event));
    if (events.length === 0) return;
    const parts = [events.slice(0, cut % events.length), events.slice(cut % events.length)];
    for (const [i, part] of parts.entries()) {
      if (part.length > 0) this.#respond({ watch_id: watch.id, events: part, fragment: i === 0 });
    }
  }

  /** Ends a watch for a reason of its own. */
  cancel(which: number): void {
    const watch = this.#watches[which % this.#watches.length];
    if (watch !== undefined) this.#end(watch.id, 0n);
  }

  deliver(): void {
    const response = this.#responses.shift();
    if (response !== undefined) this.stream.emit('data', response);
  }

  /** A delete at the very revision of a compaction, where a watch starts there, as etcd before 3.4.36 and 3.5.18 has it. */
  #isForgotten({ pastStart }: ServerWatch, { type, kv }: WatchEventMessage): boolean {
    const { compacted } = this.#history;
    return type === EventType.Delete && kv.mod_revision === compacted && pastStart === compacted;
  }

  #create({ key, start_revision = 0n }: WatchCreateRequest): void {
    const id = this.#made++;
    const next = start_revision === 0n ? this.#seen + 1n : start_revision;
    const pastStart = start_revision > 0n && start_revision <= this.#seen ? start_revision : undefined;
    this.#watches.push({ id, prefix: key.toString(), pastStart, next });
    this.#respond({ watch_id: id, created: true });
  }

  #end(id: number, compactRevision: bigint): void {
    const at = this.#watches.findIndex((each) => each.id === id);
    if (at < 0) return;
    this.#watches.splice(at, 1);
    this.#respond({ watch_id: id, canceled: true, compact_revision: compactRevision });
  }

  #respond(response: Partial<WatchResponse> & { readonly watch_id: number }): void {
    this.#responses.push({
      header: { cluster_id: 1n, revision: this.#seen },
      created: false,
      canceled: false,
      compact_revision: 0n,
      cancel_reason: '',
      fragment: false,
      events: [],
      ...response,
    });
  }
}
