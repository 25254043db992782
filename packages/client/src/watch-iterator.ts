import { monotonicNow } from './clock.js';
import { AbortedError, ClosedError, type CoordError } from './errors.js';
import { EtcdKeyValue, type KeyValue } from './key-value.js';
import { manyMayListen } from './many-may-listen.js';
import type { NamesOf } from './option-names.js';
import { PushIterator } from './push-iterator.js';
import { keyRange, type Range } from './range.js';
import {
  assertValid,
  checkFlag,
  checkRevision,
  checkSignal,
  type IssueList,
  readOptions,
  show,
} from './validation.js';
import type { Watch, WatchBatch, WatchEvent, WatchOptions } from './watch.js';
import {
  type Snapshot,
  type SubscriptionContext,
  type WatchSink,
  WatchSubscription,
} from './watch-subscription.js';

const DEFAULT_MAX_BUFFERED = 1_024;

/** The public watch: a subscription whose batches come out of a `for await` loop. */
export class WatchIterator implements Watch, WatchSink {
  readonly ready: Promise<void>;
  readonly #batches: PushIterator<WatchBatch>;
  readonly #subscription: WatchSubscription;
  readonly #resync: 'difference' | 'snapshot' | 'error';
  readonly #maxBuffered: number;
  readonly #ignore: WatchOptions['ignore'];
  /** The keys seen so far, for the difference after a compaction: the reason why etcd must not filter then. */
  readonly #known = new Map<string, Uint8Array>();
  readonly #onClosed: () => void;
  #settleReady: { resolve(): void; reject(error: CoordError): void } | undefined;
  #stopListening: (() => void) | undefined;
  #iterated = false;
  /** When what waits for the reader has come, where that is measured. */
  readonly #arrivals: number[] | undefined;

  constructor(range: Range, given: WatchOptions, context: SubscriptionContext, onClosed: () => void) {
    const options = readWatchOptions(given);
    const { signal } = options;
    if (signal?.aborted) throw new AbortedError('watch: aborted by the caller', { cause: signal.reason });
    keyRange(range);
    this.#resync = options.resync ?? 'difference';
    this.#maxBuffered = options.maxBuffered ?? DEFAULT_MAX_BUFFERED;
    this.#ignore = options.ignore;
    this.#onClosed = onClosed;
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = { resolve, reject };
    });
    this.ready.catch(() => undefined);
    const { metrics } = context;
    this.#arrivals = metrics && [];
    this.#batches = new PushIterator({
      onClose: () => this.#closed(),
      onTake: () => {
        const arrivedAt = this.#arrivals?.shift();
        if (arrivedAt !== undefined) metrics?.watchQueued(monotonicNow() - arrivedAt);
        if (this.#batches.size <= this.#maxBuffered / 2) this.#subscription.resume();
      },
    });
    const { previous, ignore } = options;
    const start = options.startRevision ?? 0n;
    const onCompacted = this.#resync === 'error' ? 'fail' : 'snapshot';
    this.#subscription = new WatchSubscription(
      range,
      { start, previous, ignore: this.#resync === 'difference' ? undefined : ignore, onCompacted },
      context,
      this,
    );
    if (signal) this.#failOn(signal);
  }

  [Symbol.asyncIterator](): AsyncIterator<WatchBatch> {
    if (this.#iterated) throw new TypeError('a watch can be iterated only once');
    this.#iterated = true;
    return this.#batches;
  }

  async close(): Promise<void> {
    await this.#batches.return();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  attached(): void {
    this.#settleReady?.resolve();
  }

  batch(batch: WatchBatch): void {
    let { events } = batch;
    if (this.#resync === 'difference') {
      this.#remember(events);
      events = this.#wanted(events);
      if (events.length === 0) return;
    }
    this.#push({ ...batch, events });
    if (this.#batches.size >= this.#maxBuffered) this.#subscription.pause();
  }

  snapshot({ revision, kvs }: Snapshot, wanted: bigint): void {
    // In a history that has begun anew, revisions do not tell what has changed.
    const all = this.#resync === 'snapshot' || revision + 1n < wanted;
    const changed = all ? kvs : kvs.filter((kv) => kv.modRevision >= wanted);
    const present = new Set(kvs.map((kv) => identity(kv.rawKey)));
    const events: WatchEvent[] = changed.map((kv) => ({ type: 'put', key: kv.key, kv }));
    for (const [id, rawKey] of this.#known) {
      if (present.has(id)) continue;
      const kv = deletedKeyValue(rawKey, revision);
      events.push({ type: 'delete', key: kv.key, kv });
    }
    if (this.#resync === 'difference') this.#remember(events);
    const wantedEvents = this.#wanted(events);
    // A snapshot of nothing says that every key is gone.
    if (wantedEvents.length === 0 && this.#resync !== 'snapshot') return;
    this.#push({ revision, resync: true, events: wantedEvents });
  }

  failed(error: CoordError): void {
    this.#settleReady?.reject(error);
    this.#batches.fail(error);
  }

  #push(batch: WatchBatch): void {
    this.#arrivals?.push(monotonicNow());
    this.#batches.push(batch);
  }

  #remember(events: readonly WatchEvent[]): void {
    for (const { type, kv } of events) {
      if (type === 'put') this.#known.set(identity(kv.rawKey), kv.rawKey);
      else this.#known.delete(identity(kv.rawKey));
    }
  }

  #wanted(events: readonly WatchEvent[]): readonly WatchEvent[] {
    return this.#ignore === undefined ? events : events.filter((event) => event.type !== this.#ignore);
  }

  #failOn(signal: AbortSignal): void {
    const onAbort = () =>
      this.failed(new AbortedError('watch: aborted by the caller', { cause: signal.reason }));
    manyMayListen(signal);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#stopListening = () => signal.removeEventListener('abort', onAbort);
  }

  #closed(): void {
    this.#subscription.close();
    this.#stopListening?.();
    this.#settleReady?.reject(new ClosedError('the watch was closed before etcd attached it'));
    this.#known.clear();
    this.#onClosed();
  }
}

/** Keys need not be UTF-8: two different ones must not become one. */
function identity(rawKey: Uint8Array): string {
  return Buffer.from(rawKey.buffer, rawKey.byteOffset, rawKey.byteLength).toString('latin1');
}

/** What a delete that was not seen looks like: the key, an empty value, the revision of the list. */
export function deletedKeyValue(rawKey: Uint8Array, revision: bigint): KeyValue {
  return new EtcdKeyValue({
    key: Buffer.from(rawKey),
    value: Buffer.alloc(0),
    version: 0n,
    create_revision: 0n,
    mod_revision: revision,
    lease: 0n,
  });
}

const NAMES = {
  startRevision: true,
  previous: true,
  ignore: true,
  resync: true,
  maxBuffered: true,
  signal: true,
} satisfies NamesOf<WatchOptions>;

/** @throws {ValidationError} */
function readWatchOptions(given: WatchOptions): WatchOptions {
  const issues: IssueList = [];
  const options = readOptions(issues, given, NAMES);
  const { startRevision, resync, ignore, maxBuffered, previous, signal } = options;
  if (startRevision !== undefined) checkRevision(issues, 'startRevision', startRevision);
  if (resync !== undefined && !['difference', 'snapshot', 'error'].includes(resync)) {
    issues.push({ path: 'resync', message: `must be difference, snapshot or error, got ${show(resync)}` });
  }
  if (ignore !== undefined && !['put', 'delete'].includes(ignore)) {
    issues.push({ path: 'ignore', message: `must be put or delete, got ${show(ignore)}` });
  }
  if (maxBuffered !== undefined && (!Number.isSafeInteger(maxBuffered) || maxBuffered < 1)) {
    issues.push({ path: 'maxBuffered', message: `must be a whole number from 1, got ${show(maxBuffered)}` });
  }
  checkFlag(issues, 'previous', previous);
  assertValid(checkSignal(issues, signal));
  return options;
}
