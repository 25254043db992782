import { backoffDelayMs, delay } from './backoff.js';
import { AuthError, CompactedError, CoordError, PermissionError } from './errors.js';
import type { KeyValue } from './key-value.js';
import type { KvClient } from './kv-client.js';
import type { CoordLogger } from './logger.js';
import type { Range } from './range.js';
import type { WatchFollower } from './shared-watch.js';
import type { Slots } from './slots.js';
import type { ClientMetrics } from './telemetry/client-metrics.js';
import type { TxnCodec } from './txn-codec.js';
import type { WatchBatch } from './watch.js';
import { cancelError, isFinal } from './watch-errors.js';
import type { WatchHub } from './watch-hub.js';
import { type WatchTarget, watchTarget } from './watch-target.js';

/** Every key of a range at one revision. */
export interface Snapshot {
  readonly revision: bigint;
  readonly kvs: readonly KeyValue[];
}

/** Who is told what a watch receives. Nothing here may throw. */
export interface WatchSink {
  batch(batch: WatchBatch): void;
  /**
   * Follows the server from here on: attached, and the position is known. What has happened since the
   * place where it stands is still to come.
   * @param headerRevision etcd's newest revision at that moment
   */
  attached?(headerRevision: bigint): void;
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
  readonly hub: WatchHub;
  readonly kv: KvClient;
  readonly codec: TxnCodec;
  readonly logger: CoordLogger;
  readonly metrics?: ClientMetrics | undefined;
  /** Lists that may run at once. */
  readonly lists: Slots;
  readonly usesToken: boolean;
}

const BACKOFF = { initialDelayMs: 100, maxDelayMs: 2_000, multiplier: 2 };

/**
 * A watch of one range that keeps its place: it survives lost connections by asking again from
 * there, and compaction by listing the range and watching on from the list.
 */
export class WatchSubscription implements WatchFollower {
  readonly target: WatchTarget;
  readonly #range: Range;
  readonly #options: SubscriptionOptions;
  readonly #context: SubscriptionContext;
  readonly #sink: WatchSink;
  readonly #closing = new AbortController();
  #next: bigint;
  #complete: boolean;
  #paused = false;
  /** Busy with something that must come before it can follow the server again. */
  #busy = false;
  /** Refusals in a row that should be mended by themselves. */
  #setbacks = 0;
  #confirmed = false;

  constructor(range: Range, options: SubscriptionOptions, context: SubscriptionContext, sink: WatchSink) {
    const { start, previous = false, ignore } = options;
    this.target = watchTarget(context.codec.range(range), previous, ignore);
    this.#range = range;
    this.#options = options;
    this.#context = context;
    this.#sink = sink;
    this.#next = start === 'list' ? 0n : start;
    this.#complete = this.#next === 0n;
    if (start === 'list') this.#resync();
    else context.hub.add(this);
  }

  get next(): bigint {
    return this.#next;
  }

  /** Stops the server from sending, keeping the place. What has arrived already is still delivered. */
  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#context.hub.remove(this);
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#follow();
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#context.hub.remove(this);
  }

  attached(headerRevision: bigint): void {
    this.#setbacks = 0;
    this.#confirmed = false;
    if (this.#next === 0n) this.#next = headerRevision + 1n;
    this.#sink.attached?.(headerRevision);
    if (this.#complete && headerRevision + 1n < this.#next) this.#checkHistory().catch(() => undefined); // closed
  }

  detached(reason: CoordError): void {
    this.#sink.detached?.(reason);
  }

  batch(batch: WatchBatch): void {
    if (batch.revision < this.#next || this.#closing.signal.aborted) return;
    this.#moveTo(batch.revision + 1n);
    this.#sink.batch(batch);
  }

  progress(revision: bigint): void {
    if (revision < this.#next) return;
    this.#moveTo(revision + 1n);
    this.#sink.progress?.(revision);
  }

  canceled(compactRevision: bigint, reason: string): void {
    // The watch was shared, perhaps with one who is behind us: what is gone may have been told to us already.
    const missing = compactRevision > this.#needs ? compactRevision : 0n;
    const error = cancelError(this.#next, missing, reason);
    const { hub, usesToken } = this.#context;
    if (error instanceof CompactedError) {
      this.#historyGone(error);
    } else if (error instanceof PermissionError && usesToken && !this.#confirmed) {
      this.#sink.detached?.(error);
      this.#confirm();
    } else if (error instanceof AuthError && usesToken) {
      this.#sink.detached?.(error);
      hub.reauthenticate();
      this.#followLater();
    } else if (error !== undefined) {
      this.#fail(error);
    } else {
      // Ended by the server for a reason of its own: go on from where we are.
      this.#sink.detached?.(new CoordError('COORD_WATCH_CANCELED', `watch canceled by etcd: ${reason}`));
      this.#followLater();
    }
  }

  refused(error: CoordError): void {
    this.#fail(error);
  }

  /** The place is worth nothing any more: lists anew and watches on from there. */
  relist(reason: string): void {
    if (this.#busy || this.#closing.signal.aborted) return;
    this.#context.hub.remove(this);
    this.#historyGone(new CompactedError(`watch: ${reason}`, { compactRevision: 0n }));
  }

  /** The oldest revision that etcd must still have for us. */
  get #needs(): bigint {
    return this.#complete ? this.#next - 1n : this.#next;
  }

  #moveTo(next: bigint): void {
    this.#next = next;
    this.#complete = true;
  }

  #follow(): void {
    if (!this.#paused && !this.#busy && !this.#closing.signal.aborted) this.#context.hub.add(this);
  }

  /** A server that refuses again at once must not make us spin. */
  #followLater(): void {
    const waitMs = this.#setbacks === 0 ? 0 : backoffDelayMs(this.#setbacks, BACKOFF);
    this.#setbacks++;
    this.#followAfter((signal) => delay(waitMs, signal));
  }

  /**
   * Before 3.4.22 and 3.5.6 etcd says "permission denied" to a watch also where the token has expired
   * (https://github.com/etcd-io/etcd/pull/14547). A read tells, and renews the token: if it is
   * allowed, so is the watch, on a new stream.
   */
  #confirm(): void {
    this.#confirmed = true;
    this.#followAfter(async () => {
      await this.#read();
      if (!this.#closing.signal.aborted) this.#context.hub.reauthenticate();
    });
  }

  #followAfter(task: (signal: AbortSignal) => Promise<void>): void {
    this.#busy = true;
    task(this.#closing.signal).then(
      () => {
        this.#busy = false;
        this.#follow();
      },
      (error) => {
        if (!this.#closing.signal.aborted) this.#fail(error);
      },
    );
  }

  /**
   * The member knows less than we have seen. Either it lags behind, which mends itself, or the
   * cluster was restored from a backup: its new history would look like our past.
   */
  async #checkHistory(): Promise<void> {
    const seen = this.#next - 1n; // by now: what is delivered while the read is under way may be newer than its answer
    const { revision } = await this.#read();
    if (revision >= seen || this.#busy || this.#closing.signal.aborted) return;
    this.#context.hub.remove(this);
    const message = `watch: etcd has gone back to revision ${revision}, ${seen} was seen already (restored from a backup?)`;
    this.#historyGone(new CompactedError(message, { compactRevision: 0n }));
  }

  #historyGone(error: CompactedError): void {
    if (this.#options.onCompacted === 'fail') {
      this.#fail(error);
      return;
    }
    this.#context.logger.warn('watch has lost its place, listing anew', { reason: error.message });
    this.#sink.detached?.(error);
    this.#resync();
  }

  #resync(): void {
    this.#followAfter(async (signal) => {
      const snapshot = await this.#context.lists.run(() => this.#persist(() => this.#list(signal)));
      if (signal.aborted) return;
      const wanted = this.#next;
      this.#moveTo(snapshot.revision + 1n);
      this.#sink.snapshot(snapshot, wanted);
    });
  }

  async #list(signal: AbortSignal): Promise<Snapshot> {
    const kvs: KeyValue[] = [];
    let revision = 0n;
    for await (const page of this.#context.kv.pages(this.#range, { signal })) {
      kvs.push(...page.kvs);
      revision = page.revision;
    }
    return { revision, kvs };
  }

  /** The newest state of the cluster, as little of it as possible. */
  async #read(): Promise<{ readonly revision: bigint }> {
    const { signal } = this.#closing;
    return await this.#persist(() =>
      this.#context.kv.range(this.#range, { limit: 1, keysOnly: true, signal }),
    );
  }

  /** Tries until it succeeds: an outage may last, only a refusal is final. */
  async #persist<T>(task: () => Promise<T>): Promise<T> {
    const { signal } = this.#closing;
    for (let attempt = 1; ; attempt++) {
      try {
        return await task();
      } catch (error) {
        if (signal.aborted || isFinal(error)) throw error;
        this.#context.logger.warn('read for a watch failed, trying again', {
          attempt,
          reason: String(error),
        });
        await delay(backoffDelayMs(attempt, BACKOFF), signal);
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
