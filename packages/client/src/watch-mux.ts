import { monotonicNow } from './clock.js';
import { CompactionCheck } from './compaction-check.js';
import { CompactionGate } from './compaction-gate.js';
import { AuthError, type CoordError, ValidationError } from './errors.js';
import { LineWatchdog, type WatchdogTimes } from './line-watchdog.js';
import type { CoordLogger } from './logger.js';
import { Patience } from './patience.js';
import { ReconnectingStream, type StreamUser } from './reconnecting-stream.js';
import type { OpenStream, Transport } from './transport.js';
import { type MuxedWatch, WatchAttachments } from './watch-attachments.js';
import type { WatchResponse } from './watch-messages.js';

/** A watch on whatever stream there is. It is told everything synchronously and must not throw. */
export interface ServerWatch extends MuxedWatch {
  detached(reason: CoordError): void;
  /** The server ended or refused it. It is no longer in the multiplexer. */
  canceled(compactRevision: bigint, reason: string): void;
  /** No stream can be had, for a reason that no retry can mend. It is no longer in the multiplexer. */
  refused(error: CoordError): void;
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
  readonly #gate: CompactionGate<ServerWatch>;
  readonly #watchdogTimes: WatchdogTimes;
  readonly #watches = new Set<ServerWatch>();
  #attachments: WatchAttachments<ServerWatch> | undefined;
  #watchdog: LineWatchdog | undefined;
  readonly #patience = new Patience();
  #linger: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(transport: Transport, logger: CoordLogger, watchdogTimes: WatchdogTimes) {
    this.#transport = transport;
    this.#watchdogTimes = watchdogTimes;
    this.#gate = new CompactionGate(new CompactionCheck(transport), {
      pass: (watch) => this.#attachments?.create(watch),
      compacted: (watch, compactRevision) => this.#end(watch, compactRevision, ''),
    });
    this.#stream = new ReconnectingStream('watch', { transport, logger, backoff: BACKOFF }, this);
  }

  get needed(): number {
    return this.#watches.size;
  }

  add(watch: ServerWatch): void {
    if (this.#closed || this.#watches.has(watch)) return;
    clearTimeout(this.#linger);
    this.#watches.add(watch);
    if (this.#attachments) this.#create(this.#attachments, watch);
    else this.#stream.open();
  }

  /** Takes effect at once; events already on their way are dropped. */
  remove(watch: ServerWatch): void {
    if (!this.#watches.delete(watch)) return;
    this.#gate.delete(watch);
    this.#attachments?.remove(watch);
    this.#lingerIfUnused();
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
    this.#forgetStream();
    this.#stream.close();
  }

  opened(opened: OpenStream<'watch'>): void {
    this.#forgetStream();
    const attachments = new WatchAttachments<ServerWatch>(opened.stream);
    this.#attachments = attachments;
    this.#watchdog = new LineWatchdog(this.#watchdogTimes, {
      probe: () => {
        if (!attachments.awaitsAnswer) attachments.probe();
      },
      silent: (silentMs, fresh) => this.#silent(opened, silentMs, fresh),
    });
    for (const watch of this.#watches) this.#create(attachments, watch);
  }

  received(response: WatchResponse): void {
    this.#watchdog?.heard();
    const ended = this.#attachments?.received(response);
    if (ended) this.#end(ended.watch, ended.compactRevision, ended.reason);
  }

  lost(error: CoordError): void {
    this.#forgetStream();
    for (const watch of this.#watches) watch.detached(error);
  }

  givesUp(error: unknown): boolean {
    if (!(error instanceof AuthError || error instanceof ValidationError)) return false;
    const watches = [...this.#watches];
    this.#watches.clear();
    for (const watch of watches) watch.refused(error);
    return true;
  }

  #create(attachments: WatchAttachments<ServerWatch>, watch: ServerWatch): void {
    if (watch.needs === 0n) attachments.create(watch);
    else this.#gate.add(watch);
  }

  #end(watch: ServerWatch, compactRevision: bigint, reason: string): void {
    this.#watches.delete(watch);
    watch.canceled(compactRevision, reason);
    this.#lingerIfUnused();
  }

  /**
   * The line is dead, though nothing has said so: whatever comes next gets a new connection.
   *
   * Or it is so slow that a large answer is still on its way, which a new stream would only begin
   * anew: so a line that has carried something is given up ever more seldom. That it is dead after
   * all, HTTP/2 pings find out.
   */
  #silent({ endpoint }: OpenStream<'watch'>, silentMs: number, fresh: boolean): void {
    const now = monotonicNow();
    if (!fresh) {
      if (!this.#patience.isOver(now)) return;
      this.#patience.gaveUp(now);
    }
    const reason = `no answer on the watch stream for ${Math.round(silentMs)} ms`;
    this.#transport.pool.unresponsive(endpoint, reason);
    this.#stream.replace(reason);
  }

  #forgetStream(): void {
    this.#attachments?.end();
    this.#attachments = undefined;
    this.#gate.clear();
    this.#watchdog?.stop();
    this.#watchdog = undefined;
  }

  #lingerIfUnused(): void {
    if (this.#watches.size > 0 || this.#closed) return;
    clearTimeout(this.#linger);
    this.#linger = setTimeout(() => {
      if (this.#watches.size > 0) return;
      this.#forgetStream();
      this.#stream.end();
    }, LINGER_MS);
    this.#linger.unref();
  }
}
