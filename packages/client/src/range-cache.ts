import type { CacheSource } from './cache.js';
import { monotonicNow } from './clock.js';
import type { CoordError } from './errors.js';
import type { KeyValue } from './key-value.js';
import type { CoordLogger } from './logger.js';
import type { KeyRange, Range } from './range.js';
import type { WatchBatch, WatchEvent } from './watch.js';
import { deletedKeyValue } from './watch-iterator.js';
import {
  type Snapshot,
  type SubscriptionContext,
  type WatchSink,
  WatchSubscription,
} from './watch-subscription.js';

/** Who follows a range's copy. Called synchronously, after the copy has changed. */
export interface RangeCacheListener {
  updated(batch: WatchBatch): void;
  failed(error: CoordError): void;
}

/**
 * The raw live copy of one range, shared by everybody on this client who wants that range.
 */
export class RangeCache implements WatchSink {
  readonly ready: Promise<void>;
  readonly range: KeyRange;
  readonly #listeners = new Set<RangeCacheListener>();
  readonly #waiters = new Set<() => void>();
  readonly #logger: CoordLogger;
  readonly #subscription: WatchSubscription;
  readonly #entries = new Map<string, KeyValue>();
  #revision = 0n;
  #ownWrite = 0n;
  #live = false;
  #staleSince = monotonicNow();
  #error: CoordError | undefined;
  #settleReady: { resolve(): void; reject(error: CoordError): void } | undefined;

  constructor(range: Range, context: SubscriptionContext) {
    this.range = context.codec.range(range);
    this.#logger = context.logger;
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = { resolve, reject };
    });
    this.ready.catch(() => undefined);
    this.#subscription = new WatchSubscription(
      range,
      { start: 'list', onCompacted: 'snapshot' },
      context,
      this,
    );
  }

  /** The copy itself: it changes under the reader's hands. */
  get entries(): ReadonlyMap<string, KeyValue> {
    return this.#entries;
  }

  get revision(): bigint {
    return this.#revision;
  }

  /** The revision of the last write that this client has made in the range. */
  get ownWrite(): bigint {
    return this.#ownWrite;
  }

  get source(): CacheSource {
    return this.#live ? 'live' : 'stale';
  }

  get ageMs(): number {
    return this.#live ? 0 : monotonicNow() - this.#staleSince;
  }

  /** Why it has ended for good. */
  get error(): CoordError | undefined {
    return this.#error;
  }

  listen(listener: RangeCacheListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls back at each step of the revision, or at the end. */
  onProgress(callback: () => void): () => void {
    this.#waiters.add(callback);
    return () => this.#waiters.delete(callback);
  }

  noteOwnWrite(revision: bigint): void {
    if (revision > this.#ownWrite) this.#ownWrite = revision;
  }

  close(error: CoordError): void {
    this.#subscription.close();
    this.failed(error);
  }

  attached(): void {
    this.#live = true;
  }

  detached(): void {
    if (!this.#live) return;
    this.#live = false;
    this.#staleSince = monotonicNow();
  }

  batch(batch: WatchBatch): void {
    const events = batch.events.map((event): WatchEvent => {
      const { type, key, kv } = event;
      const previous = this.#entries.get(key);
      if (type === 'put') this.#entries.set(key, kv);
      else this.#entries.delete(key);
      return previous === undefined ? event : { type, key, kv, previous };
    });
    this.#advance(batch.revision);
    this.#tell({ ...batch, events });
  }

  progress(revision: bigint): void {
    this.#advance(revision);
  }

  snapshot({ revision, kvs }: Snapshot): void {
    if (revision < this.#revision) {
      const at = { seen: this.#revision.toString(), now: revision.toString() };
      this.#logger.warn('etcd has gone back in its history (restored from a backup?), starting over', at);
    }
    const gone = new Map(this.#entries);
    const events: WatchEvent[] = [];
    for (const kv of kvs) {
      const previous = gone.get(kv.key);
      gone.delete(kv.key);
      if (previous?.modRevision === kv.modRevision) continue;
      this.#entries.set(kv.key, kv);
      events.push({ type: 'put', key: kv.key, kv, ...(previous ? { previous } : {}) });
    }
    for (const [key, previous] of gone) {
      this.#entries.delete(key);
      events.push({ type: 'delete', key, kv: deletedKeyValue(previous.rawKey, revision), previous });
    }
    this.#live = true;
    this.#advance(revision);
    this.#settleReady?.resolve();
    if (events.length > 0) this.#tell({ revision, resync: true, events });
  }

  failed(error: CoordError): void {
    if (this.#error) return;
    this.#error = error;
    this.detached();
    this.#settleReady?.reject(error);
    for (const listener of [...this.#listeners]) listener.failed(error);
    for (const callback of [...this.#waiters]) callback();
    this.#listeners.clear();
  }

  #advance(revision: bigint): void {
    this.#revision = revision;
    for (const callback of [...this.#waiters]) callback();
  }

  #tell(batch: WatchBatch): void {
    for (const listener of [...this.#listeners]) listener.updated(batch);
  }
}
