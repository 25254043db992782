import type { IEvent, IWatchCreateRequest, IWatchResponse } from 'etcd3';
import { backoffDelayMs } from './backoff.js';
import { cancelCall } from './cancel-call.js';
import { monotonicNow } from './clock.js';
import { AuthError, type CoordError, ValidationError } from './errors.js';
import type { CoordLogger } from './logger.js';
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

interface LiveStream {
  readonly opened: OpenStream<'watch'>;
  readonly openedAt: number;
  /** Creates that the server has not answered yet; it answers in order. Undefined = removed meanwhile. */
  readonly creating: (MuxedWatch | undefined)[];
  readonly attached: Map<string, MuxedWatch>;
  readonly idOf: Map<MuxedWatch, string>;
}

/** A stream that lived this long was a good one: the next break is a new trouble, mended at once. */
const STABLE_MS = 2_000;
const RECONNECT = { initialDelayMs: 50, maxDelayMs: 2_000, multiplier: 2 };
/** How long an unused stream is kept, so that the next watch need not open one. */
const LINGER_MS = 1_000;

/**
 * All watches of a client over one stream.
 *
 * When the stream breaks, every watch is created again on a new one from where it stands; a refused
 * create or a cancelled watch concerns that watch alone.
 */
export class WatchMux {
  readonly #transport: Transport;
  readonly #logger: CoordLogger;
  readonly #watches = new Set<MuxedWatch>();
  #live: LiveStream | undefined;
  #opening = false;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #linger: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(transport: Transport, logger: CoordLogger) {
    this.#transport = transport;
    this.#logger = logger;
  }

  add(watch: MuxedWatch): void {
    if (this.#closed || this.#watches.has(watch)) return;
    clearTimeout(this.#linger);
    this.#watches.add(watch);
    if (this.#live) this.#create(this.#live, watch);
    else this.#open();
  }

  /** Takes effect at once; events already on their way are dropped. */
  remove(watch: MuxedWatch): void {
    if (!this.#watches.delete(watch)) return;
    const live = this.#live;
    if (live) {
      const id = live.idOf.get(watch);
      if (id !== undefined) {
        live.idOf.delete(watch);
        live.attached.delete(id);
        live.opened.stream.write({ cancel_request: { watch_id: id } });
      }
      const index = live.creating.indexOf(watch);
      if (index >= 0) live.creating[index] = undefined;
    }
    if (this.#watches.size === 0) this.#lingerThenEnd();
  }

  /** The token was refused for one watch: log in again and open a new stream for all. */
  reauthenticate(): void {
    const live = this.#live;
    if (!live) return;
    this.#transport.invalidateToken(live.opened.token);
    this.#drop(live, new Error('the auth token was refused'));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#linger);
    this.#watches.clear();
    this.#end();
  }

  #open(): void {
    if (this.#opening || this.#live || this.#timer || this.#closed) return;
    this.#opening = true;
    this.#transport
      .openStream('watch')
      .then((opened) => this.#opened(opened))
      .catch((error) => this.#notOpened(error))
      .finally(() => {
        this.#opening = false;
      });
  }

  #notOpened(error: unknown): void {
    if (!(error instanceof AuthError || error instanceof ValidationError)) {
      this.#retryLater(error);
      return;
    }
    const watches = [...this.#watches];
    this.#watches.clear();
    for (const watch of watches) watch.refused(error);
  }

  #opened(opened: OpenStream<'watch'>): void {
    const { stream } = opened;
    const live: LiveStream = {
      opened,
      openedAt: monotonicNow(),
      creating: [],
      attached: new Map(),
      idOf: new Map(),
    };
    stream.on('data', (response) => {
      if (this.#live === live) this.#receive(live, response);
    });
    stream.on('error', (error) => this.#drop(live, error));
    stream.on('end', () => this.#drop(live, new Error('the server ended the stream')));
    if (this.#closed || this.#watches.size === 0) {
      cancelCall(stream);
      return;
    }
    this.#live = live;
    for (const watch of this.#watches) this.#create(live, watch);
  }

  #create(live: LiveStream, watch: MuxedWatch): void {
    live.creating.push(watch);
    live.opened.stream.write({ create_request: watch.createRequest() });
  }

  #receive(live: LiveStream, response: IWatchResponse): void {
    this.#transport.pool.succeeded(live.opened.endpoint);
    const id = response.watch_id;
    if (response.created) {
      const watch = live.creating.shift();
      if (response.canceled) {
        if (watch) this.#cancel(watch, response);
      } else if (watch) {
        live.attached.set(id, watch);
        live.idOf.set(watch, id);
        watch.attached(BigInt(response.header.revision));
      } else {
        live.opened.stream.write({ cancel_request: { watch_id: id } });
      }
      return;
    }
    const watch = live.attached.get(id);
    if (!watch) return;
    if (response.canceled) {
      live.attached.delete(id);
      live.idOf.delete(watch);
      this.#cancel(watch, response);
    } else if (response.events.length > 0 || response.fragment) {
      watch.events(response.events, response.fragment);
    } else {
      watch.progress(BigInt(response.header.revision));
    }
  }

  #cancel(watch: MuxedWatch, response: IWatchResponse): void {
    this.#watches.delete(watch);
    watch.canceled(BigInt(response.compact_revision), response.cancel_reason);
    if (this.#watches.size === 0) this.#lingerThenEnd();
  }

  /** The stream is gone: once for each stream, however it tells. */
  #drop(live: LiveStream, cause: unknown): void {
    if (this.#live !== live) return;
    this.#live = undefined;
    cancelCall(live.opened.stream);
    if (monotonicNow() - live.openedAt > STABLE_MS) this.#failures = 0;
    const { error } = this.#transport.streamFailed('watch', live.opened, cause);
    for (const watch of this.#watches) watch.detached(error);
    this.#retryLater(error);
  }

  #retryLater(error: unknown): void {
    if (this.#closed || this.#watches.size === 0 || this.#timer) return;
    const reason = error instanceof Error ? error.message : String(error);
    this.#logger.warn('watch stream lost, attaching again', { watches: this.#watches.size, reason });
    const delayMs = this.#failures === 0 ? 0 : backoffDelayMs(this.#failures, RECONNECT);
    this.#failures++;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#open();
    }, delayMs);
  }

  #lingerThenEnd(): void {
    clearTimeout(this.#linger);
    this.#linger = setTimeout(() => {
      if (this.#watches.size === 0) this.#end();
    }, LINGER_MS);
    this.#linger.unref();
  }

  #end(): void {
    const live = this.#live;
    this.#live = undefined;
    if (live) cancelCall(live.opened.stream);
  }
}
