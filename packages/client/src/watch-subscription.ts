import type { IEvent, IWatchCreateRequest } from 'etcd3';
import { backoffDelayMs, delay } from './backoff.js';
import {
  AuthError,
  ClosedError,
  CompactedError,
  CoordError,
  PermissionError,
  ValidationError,
} from './errors.js';
import type { KeyValue } from './key-value.js';
import type { KvClient } from './kv-client.js';
import type { CoordLogger } from './logger.js';
import type { Range } from './range.js';
import { type TxnCodec, wireRange } from './txn-codec.js';
import type { WatchBatch } from './watch.js';
import { WatchCursor } from './watch-cursor.js';
import type { MuxedWatch, WatchMux } from './watch-mux.js';

/** Every key of a range at one revision. */
export interface Snapshot {
  readonly revision: bigint;
  readonly kvs: readonly KeyValue[];
}

/** Who is told what a watch receives. Nothing here may throw. */
export interface WatchSink {
  batch(batch: WatchBatch): void;
  /** Follows the server from here on: attached, and the position is known. */
  attached?(): void;
  detached?(reason: CoordError): void;
  progress?(revision: bigint): void;
  /** The whole range at one revision: the start of a listing watch, or after a compaction. */
  snapshot(snapshot: Snapshot, wanted: bigint): void;
  /** It has ended for a reason that no reconnect can mend. */
  failed(error: CoordError): void;
}

export interface SubscriptionOptions {
  /** `list`: begin with a snapshot. Otherwise the first revision wanted, 0n = from now on. */
  readonly start: bigint | 'list';
  readonly previous?: boolean | undefined;
  readonly ignore?: 'put' | 'delete' | undefined;
  /** Whether to list anew after a compaction, or to fail. */
  readonly onCompacted: 'snapshot' | 'fail';
}

export interface SubscriptionContext {
  readonly mux: WatchMux;
  readonly kv: KvClient;
  readonly codec: TxnCodec;
  readonly logger: CoordLogger;
  readonly usesToken: boolean;
}

const REATTACH_MS = 200;
const RELIST = { initialDelayMs: 100, maxDelayMs: 2_000, multiplier: 2 };

/**
 * A watch of one range that keeps its place: it survives lost connections by asking again from its
 * cursor, and compaction by listing the range and watching from there.
 */
export class WatchSubscription implements MuxedWatch {
  readonly #range: Range;
  readonly #options: SubscriptionOptions;
  readonly #context: SubscriptionContext;
  readonly #sink: WatchSink;
  readonly #cursor: WatchCursor;
  readonly #closing = new AbortController();
  #paused = false;
  #listing = false;
  #tokenRefused = false;

  constructor(range: Range, options: SubscriptionOptions, context: SubscriptionContext, sink: WatchSink) {
    context.codec.range(range); // a bad range throws here, before anything is sent
    this.#range = range;
    this.#options = options;
    this.#context = context;
    this.#sink = sink;
    this.#cursor = new WatchCursor(context.codec, options.start === 'list' ? 0n : options.start);
    if (options.start === 'list') this.#listThenWatch();
    else context.mux.add(this);
  }

  /** The first revision not yet delivered. */
  get next(): bigint {
    return this.#cursor.next;
  }

  /** Stops the server from sending, keeping the place. */
  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#context.mux.remove(this);
    this.#cursor.detached();
  }

  resume(): void {
    if (!this.#paused || this.#closing.signal.aborted) return;
    this.#paused = false;
    if (!this.#listing) this.#context.mux.add(this);
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#context.mux.remove(this);
  }

  createRequest(): IWatchCreateRequest {
    const { previous, ignore } = this.#options;
    return {
      ...wireRange(this.#context.codec.range(this.#range)),
      start_revision: this.#cursor.next.toString(),
      progress_notify: true,
      fragment: true,
      ...(previous ? { prev_kv: true } : {}),
      ...(ignore === undefined ? {} : { filters: [ignore === 'put' ? 'Noput' : 'Nodelete'] }),
    };
  }

  attached(headerRevision: bigint): void {
    this.#tokenRefused = false;
    this.#cursor.attached(headerRevision);
    this.#sink.attached?.();
  }

  detached(reason: CoordError): void {
    this.#cursor.detached();
    this.#sink.detached?.(reason);
  }

  events(events: readonly IEvent[], fragment: boolean): void {
    for (const batch of this.#cursor.take(events, fragment)) this.#sink.batch(batch);
  }

  progress(revision: bigint): void {
    if (this.#cursor.progress(revision)) this.#sink.progress?.(revision);
  }

  canceled(compactRevision: bigint, reason: string): void {
    this.#cursor.detached();
    const error = this.#cancelError(compactRevision, reason);
    const { mux, usesToken, logger } = this.#context;
    if (error instanceof CompactedError && this.#options.onCompacted === 'snapshot') {
      logger.warn('watch fell behind a compaction, listing anew', {
        compactRevision: compactRevision.toString(),
      });
      this.#sink.detached?.(error);
      this.#listThenWatch();
    } else if (
      (error instanceof AuthError || error instanceof PermissionError) &&
      usesToken &&
      !this.#tokenRefused
    ) {
      // etcd 3.4 says "permission denied" also for an expired token: log in once more before believing it.
      this.#tokenRefused = true;
      this.#sink.detached?.(error);
      mux.add(this);
      mux.reauthenticate();
    } else if (error !== undefined) {
      this.#fail(error);
    } else {
      // Ended by the server for a reason of its own: go on from where we are.
      this.#sink.detached?.(new CoordError('COORD_WATCH_CANCELED', `watch canceled by etcd: ${reason}`));
      this.#attachLater();
    }
  }

  refused(error: CoordError): void {
    this.#fail(error);
  }

  /** A server that cancels at once again must not make us spin. */
  #attachLater(): void {
    delay(REATTACH_MS, this.#closing.signal)
      .then(() => {
        if (!this.#paused) this.#context.mux.add(this);
      })
      .catch(() => undefined); // closed meanwhile
  }

  #cancelError(compactRevision: bigint, reason: string): CoordError | undefined {
    if (compactRevision > 0n) {
      const message = `watch: revision ${this.#cursor.next} has been compacted, the oldest is ${compactRevision}`;
      return new CompactedError(message, { compactRevision });
    }
    if (reason.includes('permission denied')) return new PermissionError(`watch: ${reason}`);
    if (reason.includes('invalid auth token') || reason.includes('user name is empty')) {
      return new AuthError(`watch: ${reason}`);
    }
    if (reason.includes('invalid') || reason.includes('not valid')) {
      return new ValidationError([{ path: 'watch', message: reason }]);
    }
    return undefined;
  }

  #listThenWatch(): void {
    this.#listing = true;
    this.#list()
      .then((snapshot) => {
        if (this.#closing.signal.aborted) return;
        const wanted = this.#cursor.next;
        this.#cursor.skipTo(snapshot.revision + 1n);
        this.#listing = false;
        this.#sink.snapshot(snapshot, wanted);
        if (!this.#paused && !this.#closing.signal.aborted) this.#context.mux.add(this);
      })
      .catch((error) => {
        if (!this.#closing.signal.aborted) this.#fail(error);
      });
  }

  /** Lists until it succeeds: an outage may last, only a refusal is final. */
  async #list(): Promise<Snapshot> {
    const { signal } = this.#closing;
    for (let attempt = 1; ; attempt++) {
      try {
        const kvs: KeyValue[] = [];
        let revision = 0n;
        for await (const page of this.#context.kv.pages(this.#range, { signal })) {
          kvs.push(...page.kvs);
          revision = page.revision;
        }
        return { revision, kvs };
      } catch (error) {
        if (signal.aborted || isFinal(error)) throw error;
        this.#context.logger.warn('list failed, trying again', { attempt, reason: String(error) });
        await delay(backoffDelayMs(attempt, RELIST), signal);
      }
    }
  }

  #fail(error: unknown): void {
    this.close();
    this.#sink.failed(
      CoordError.is(error)
        ? error
        : new CoordError('COORD_INTERNAL', `watch failed: ${String(error)}`, { cause: error }),
    );
  }
}

function isFinal(error: unknown): boolean {
  return (
    error instanceof AuthError ||
    error instanceof PermissionError ||
    error instanceof ValidationError ||
    error instanceof ClosedError
  );
}
