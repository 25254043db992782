import type { CacheSource } from './cache.js';
import { CatchUp } from './catch-up.js';
import { monotonicNow } from './clock.js';
import type { ClusterIdentity } from './cluster-identity.js';
import type { CoordError } from './errors.js';
import type { KeyValue } from './key-value.js';
import type { CoordLogger } from './logger.js';
import { type KeyRange, type Range, rangeContains } from './range.js';
import { RangeCopy } from './range-copy.js';
import type { StoredSnapshot } from './snapshot-format.js';
import type { WriteLag } from './telemetry/write-lag.js';
import type { TxnCodec } from './txn-codec.js';
import type { WatchBatch } from './watch.js';
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

export interface CacheContext extends SubscriptionContext {
  readonly cluster: ClusterIdentity;
}

interface OwnDelete {
  readonly range: KeyRange;
  readonly revision: bigint;
}

/** A list is etcd's present state: for so long it counts as followed, since the watch is about to be attached. */
const LIST_COUNTS_MS = 1_000;

/**
 * The raw live copy of one range, shared by everybody on this client who wants that range.
 */
export class RangeCache implements WatchSink {
  readonly ready: Promise<void>;
  readonly range: KeyRange;
  readonly #listeners = new Set<RangeCacheListener>();
  readonly #waiters = new Set<() => void>();
  readonly #logger: CoordLogger;
  readonly #cluster: ClusterIdentity;
  readonly #codec: TxnCodec;
  readonly #subscription: WatchSubscription;
  readonly #copy = new RangeCopy();
  readonly #catchUp: CatchUp;
  readonly #lag: WriteLag | undefined;
  #ownWrite = 0n;
  /** Ranges that this client has deleted, of which something may be still to come. */
  #ownDeletes: readonly OwnDelete[] = [];
  #fromDisk = false;
  /** The list was older than the copy on disk: etcd was restored from a backup, or the list has just taken long. */
  #doubt: 'none' | 'open' | 'settled' = 'none';
  #listedAt = Number.NEGATIVE_INFINITY;
  /** When the copy was last known to follow etcd. */
  #knownAt = monotonicNow();
  #clusterId: string | undefined;
  #newHistory = false;
  #historySince = Date.now();
  #error: CoordError | undefined;
  #settleReady: { resolve(): void; reject(error: CoordError): void } | undefined;

  constructor(range: Range, context: CacheContext) {
    this.range = context.codec.range(range);
    this.#logger = context.logger;
    this.#cluster = context.cluster;
    this.#codec = context.codec;
    this.#lag = context.metrics?.writeLag();
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = { resolve, reject };
    });
    this.ready.catch(() => undefined);
    this.#catchUp = new CatchUp(this.#copy, range, context);
    this.#subscription = new WatchSubscription(
      range,
      { start: 'list', onCompacted: 'snapshot' },
      context,
      this,
    );
  }

  /** The copy itself, by key name: it changes under the reader's hands. */
  get entries(): ReadonlyMap<string, KeyValue> {
    return this.#copy.entries;
  }

  get revision(): bigint {
    return this.#copy.revision;
  }

  /** A question: has it been listed, and does it show all that this client has written in the range until now? */
  ownWrites(): () => boolean {
    this.#ownDeletes = this.#ownDeletes.filter((each) => this.#isToCome(each));
    const [written, deleted] = [this.#ownWrite, this.#ownDeletes];
    return () =>
      this.revision > 0n && this.revision >= written && !deleted.some((each) => this.#isToCome(each));
  }

  get source(): CacheSource {
    if (this.#fromDisk) return 'disk';
    return this.#live ? 'live' : 'stale';
  }

  get ageMs(): number {
    return this.#live ? 0 : monotonicNow() - this.#knownAt;
  }

  /** The cluster that the copy is of. */
  async clusterId(): Promise<string> {
    return this.#clusterId ?? (await this.#cluster.readSince(this.#knownAt));
  }

  /** Since when, by the wall clock, its revisions are those of one history. */
  get historySince(): number {
    return this.#historySince;
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

  /** @param written a key, or a range of which something was deleted */
  noteOwnWrite(written: KeyRange, revision: bigint): void {
    if (written.end === undefined) {
      this.#lag?.answered(revision, this.revision);
      if (revision > this.#ownWrite) this.#ownWrite = revision;
      return;
    }
    const deleted = { range: written, revision };
    if (this.#isToCome(deleted)) this.#ownDeletes = [...this.#ownDeletes, deleted];
  }

  /** Begins with what was written down, unless etcd has answered already. @returns whether it is used */
  startFromDisk({ revision, kvs, cluster, writtenAt }: StoredSnapshot): boolean {
    if (this.revision > 0n || this.#error) return true;
    if (cluster !== (this.#cluster.known ?? cluster)) return false;
    this.#fromDisk = true;
    this.#clusterId = cluster;
    this.#knownAt = monotonicNow() - Math.max(0, Date.now() - writtenAt);
    this.#moved(this.#copy.replace({ revision, kvs }, false));
    return true;
  }

  close(error: CoordError): void {
    this.#subscription.close();
    this.failed(error);
  }

  attached(headerRevision: bigint): void {
    if (this.#doubt === 'open') {
      this.#doubt = 'settled'; // by a list that is begun only now
      this.#subscription.relist('the copy on disk is newer than the list');
      return;
    }
    const attachedAt = monotonicNow();
    this.#catchUp.start(headerRevision, async (isWanted) => {
      const clusterId = await this.#cluster.readSince(attachedAt);
      if (!isWanted()) return;
      const before = this.#clusterId;
      this.#clusterId = clusterId;
      if (before === undefined || before === clusterId) return;
      this.#newHistory = true;
      this.#subscription.relist('it is another cluster now');
    });
  }

  detached(): void {
    if (this.#live) this.#knownAt = monotonicNow();
    this.#listedAt = Number.NEGATIVE_INFINITY;
    this.#catchUp.stop();
  }

  batch(batch: WatchBatch): void {
    this.#moved(this.#copy.apply(batch));
  }

  progress(revision: bigint): void {
    this.#copy.advance(revision);
    this.#progressed();
  }

  snapshot(snapshot: Snapshot): void {
    const { revision } = snapshot;
    if (this.#fromDisk && revision < this.revision && this.#doubt === 'none') {
      this.#doubt = 'open';
      return;
    }
    if (revision < this.revision) this.#newHistory = true;
    const newHistory = this.#newHistory;
    if (newHistory) {
      const at = { seen: this.revision.toString(), now: revision.toString() };
      this.#logger.warn(
        'etcd has another history (restored from a backup, or a new cluster): starting over',
        at,
      );
      this.#newHistory = false;
      this.#historySince = Date.now();
      this.#ownWrite = 0n; // of the other history
      this.#lag?.clear();
      this.#ownDeletes = [];
    }
    // What was on disk need not be of this history: its revisions alone are not trusted.
    const batch = this.#copy.replace(snapshot, newHistory || this.#fromDisk);
    this.#fromDisk = false;
    this.#listedAt = monotonicNow();
    this.#knownAt = this.#listedAt;
    this.#moved(batch, newHistory);
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

  /** A deleted range that had no key in common with this one brings no event, however long one waits. */
  #isToCome({ range, revision }: OwnDelete): boolean {
    if (this.revision === 0n) return true;
    if (this.revision >= revision) return false;
    for (const kv of this.entries.values()) {
      if (kv.modRevision < revision && rangeContains(range, this.#codec.serverKey(kv))) return true;
    }
    return false;
  }

  get #live(): boolean {
    return this.#catchUp.done || monotonicNow() - this.#listedAt < LIST_COUNTS_MS;
  }

  #moved(batch: WatchBatch, always = false): void {
    this.#progressed();
    this.#settleReady?.resolve();
    if (batch.events.length === 0 && !always) return;
    for (const listener of [...this.#listeners]) listener.updated(batch);
  }

  #progressed(): void {
    this.#catchUp.progressed();
    this.#lag?.reached(this.revision);
    for (const callback of [...this.#waiters]) callback();
  }
}
