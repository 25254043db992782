import type { IEvent, IWatchCreateRequest, IWatchResponse } from 'etcd3';
import { AuthError, type CoordError, ValidationError } from './errors.js';
import type { CoordLogger } from './logger.js';
import { ReconnectingStream, type StreamUser } from './reconnecting-stream.js';
import type { OpenStream, Transport } from './transport.js';

/** One watch as the multiplexer sees it. It is told everything synchronously and must not throw. */
export interface MuxedWatch {
  /** What to ask the server for, from where the watch stands now. */
  createRequest(): IWatchCreateRequest;
  attached(headerRevision: bigint): void;
  detached(reason: CoordError): void;
  events(events: readonly IEvent[], fragment: boolean): void;
  progress(revision: bigint): void;
  /** The server ended or refused this watch. It is no longer in the multiplexer. */
  canceled(compactRevision: bigint, reason: string): void;
  /** No stream can be had, for a reason that no retry can mend. It is no longer in the multiplexer. */
  refused(error: CoordError): void;
}

/** What the server knows of us on one stream. */
interface Attachments {
  /** Creates that the server has not answered yet; it answers in order. Undefined = removed meanwhile. */
  readonly creating: (MuxedWatch | undefined)[];
  readonly attached: Map<string, MuxedWatch>;
  readonly idOf: Map<MuxedWatch, string>;
}

const BACKOFF = { initialDelayMs: 50, maxDelayMs: 2_000, multiplier: 2 };
/** How long an unused stream is kept, so that the next watch need not open one. */
const LINGER_MS = 1_000;

/**
 * All watches of a client over one stream.
 *
 * When the stream breaks, every watch is created again on a new one from where it stands; a refused
 * create or a cancelled watch concerns that watch alone.
 */
export class WatchMux implements StreamUser<'watch'> {
  readonly #transport: Transport;
  readonly #stream: ReconnectingStream<'watch'>;
  readonly #watches = new Set<MuxedWatch>();
  #attachments = noAttachments();
  #linger: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(transport: Transport, logger: CoordLogger) {
    this.#transport = transport;
    this.#stream = new ReconnectingStream('watch', { transport, logger, backoff: BACKOFF }, this);
  }

  get needed(): number {
    return this.#watches.size;
  }

  add(watch: MuxedWatch): void {
    if (this.#closed || this.#watches.has(watch)) return;
    clearTimeout(this.#linger);
    this.#watches.add(watch);
    if (this.#stream.live) this.#create(this.#stream.live, watch);
    else this.#stream.open();
  }

  /** Takes effect at once; events already on their way are dropped. */
  remove(watch: MuxedWatch): void {
    if (!this.#watches.delete(watch)) return;
    const { live } = this.#stream;
    if (live) {
      const { attached, idOf, creating } = this.#attachments;
      const id = idOf.get(watch);
      if (id !== undefined) {
        idOf.delete(watch);
        attached.delete(id);
        live.stream.write({ cancel_request: { watch_id: id } });
      }
      const index = creating.indexOf(watch);
      if (index >= 0) creating[index] = undefined;
    }
    if (this.#watches.size === 0) this.#lingerThenEnd();
  }

  /** The token was refused for one watch: log in again and open a new stream for all. */
  reauthenticate(): void {
    const { live } = this.#stream;
    if (!live) return;
    this.#transport.invalidateToken(live.token);
    this.#stream.replace('the auth token was refused');
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#linger);
    this.#watches.clear();
    this.#stream.close();
  }

  opened(opened: OpenStream<'watch'>): void {
    this.#attachments = noAttachments();
    for (const watch of this.#watches) this.#create(opened, watch);
  }

  received(response: IWatchResponse, { stream }: OpenStream<'watch'>): void {
    const { creating, attached, idOf } = this.#attachments;
    const id = response.watch_id;
    if (response.created) {
      const watch = creating.shift();
      if (response.canceled) {
        if (watch) this.#cancel(watch, response);
      } else if (watch) {
        attached.set(id, watch);
        idOf.set(watch, id);
        watch.attached(BigInt(response.header.revision));
      } else {
        stream.write({ cancel_request: { watch_id: id } });
      }
      return;
    }
    const watch = attached.get(id);
    if (!watch) return;
    if (response.canceled) {
      attached.delete(id);
      idOf.delete(watch);
      this.#cancel(watch, response);
    } else if (response.events.length > 0 || response.fragment) {
      watch.events(response.events, response.fragment);
    } else {
      watch.progress(BigInt(response.header.revision));
    }
  }

  lost(error: CoordError): void {
    for (const watch of this.#watches) watch.detached(error);
  }

  givesUp(error: unknown): boolean {
    if (!(error instanceof AuthError || error instanceof ValidationError)) return false;
    const watches = [...this.#watches];
    this.#watches.clear();
    for (const watch of watches) watch.refused(error);
    return true;
  }

  #create({ stream }: OpenStream<'watch'>, watch: MuxedWatch): void {
    this.#attachments.creating.push(watch);
    stream.write({ create_request: watch.createRequest() });
  }

  #cancel(watch: MuxedWatch, response: IWatchResponse): void {
    this.#watches.delete(watch);
    watch.canceled(BigInt(response.compact_revision), response.cancel_reason);
    if (this.#watches.size === 0) this.#lingerThenEnd();
  }

  #lingerThenEnd(): void {
    clearTimeout(this.#linger);
    this.#linger = setTimeout(() => {
      if (this.#watches.size === 0) this.#stream.end();
    }, LINGER_MS);
    this.#linger.unref();
  }
}

function noAttachments(): Attachments {
  return { creating: [], attached: new Map(), idOf: new Map() };
}
