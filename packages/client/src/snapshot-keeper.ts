import { monotonicNow } from './clock.js';
import type { CoordLogger } from './logger.js';
import type { RangeCache } from './range-cache.js';
import type { SnapshotFile } from './snapshot-file.js';
import type { SnapshotHeader } from './snapshot-format.js';

/** How long etcd has to answer before the copy on disk is used. */
const DISK_AFTER_MS = 1_000;
/** The least time between two writes. */
const SAVE_EVERY_MS = 1_000;
/** Writing takes at most one part in so many of the time. */
const SAVE_SHARE = 20;
/** The longest wait before a failed write is tried again. */
const MAX_RETRY_MS = 60_000;

/** Keeps a copy of a range on disk, and begins with it when etcd is away. */
export class SnapshotKeeper {
  readonly #cache: RangeCache;
  readonly #file: SnapshotFile;
  readonly #range: string;
  readonly #logger: CoordLogger;
  readonly #stopListening: () => void;
  readonly #fallback: NodeJS.Timeout;
  readonly #warned = new Set<string>();
  #changed = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> | undefined;
  #pauseMs = SAVE_EVERY_MS;

  /** @param range what the file must be about */
  constructor(cache: RangeCache, file: SnapshotFile, range: string, logger: CoordLogger) {
    this.#cache = cache;
    this.#file = file;
    this.#range = range;
    this.#logger = logger;
    this.#fallback = setTimeout(() => this.#run(() => this.#load()), DISK_AFTER_MS);
    this.#stopListening = cache.onProgress(() => this.#progressed());
    this.#run(() => this.#file.sweep()).catch(() => undefined);
    this.#progressed();
  }

  /** Writes what has not been written yet. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#saving;
    this.#saveNow();
    await this.#saving;
  }

  /** The last thing it does is to write. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#fallback);
    this.#stopListening();
    await this.flush();
  }

  #progressed(): void {
    const { revision, source, error } = this.#cache;
    if (revision === 0n || source === 'disk' || error || this.#closed) return;
    clearTimeout(this.#fallback);
    this.#changed = true;
    this.#timer ??= setTimeout(() => this.#saveNow(), this.#pauseMs).unref();
  }

  #saveNow(): void {
    this.#timer = undefined;
    if (!this.#changed) return;
    this.#saving ??= this.#save().finally(() => {
      this.#saving = undefined;
      if (this.#changed) this.#progressed();
    });
  }

  async #load(): Promise<void> {
    const snapshot = await this.#file.read();
    if (snapshot === undefined || !this.#mine(snapshot)) return;
    if (!this.#cache.startFromDisk(snapshot)) this.#warn('it is of another cluster');
  }

  /** Does not reject: a copy that cannot be written down is a copy all the same. */
  async #save(): Promise<void> {
    this.#changed = false;
    const startedAt = monotonicNow();
    const saved = await this.#run(async () => {
      const cluster = await this.#cache.clusterId();
      const present = await this.#file.readHeader();
      if (present && !this.#mine(present)) return;
      const { revision, entries, historySince } = this.#cache;
      const newer = present !== undefined && present.cluster === cluster && present.revision > revision;
      // Another process is ahead of us; or it wrote before a restored backup took us back.
      if (newer && present.writtenAt >= historySince) return;
      const kvs = [...entries.values()];
      await this.#file.write({ range: this.#range, cluster, revision, writtenAt: Date.now(), kvs });
    });
    if (saved) this.#pauseMs = Math.max(SAVE_EVERY_MS, (monotonicNow() - startedAt) * SAVE_SHARE);
    else {
      this.#changed = true;
      this.#pauseMs = Math.min(this.#pauseMs * 2, MAX_RETRY_MS);
    }
  }

  #mine({ range }: SnapshotHeader): boolean {
    if (range === this.#range) return true;
    this.#warn('it is about another range or namespace');
    return false;
  }

  async #run(task: () => Promise<void>): Promise<boolean> {
    try {
      await task();
      return true;
    } catch (error) {
      this.#warn(error instanceof Error ? error.message : String(error));
      return false;
    }
  }

  /** Each trouble once. */
  #warn(reason: string): void {
    if (this.#warned.has(reason)) return;
    this.#warned.add(reason);
    this.#logger.warn('snapshot file of a cache not used', { file: this.#file.path, reason });
  }
}
