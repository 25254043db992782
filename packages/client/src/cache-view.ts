import type { CacheChange, CacheOptions, CacheSource, CacheUpdate, WatchCache } from './cache.js';
import { ChangeStream } from './change-stream.js';
import { DecodedEntries } from './decoded-entries.js';
import { ClosedError } from './errors.js';
import { nameOf } from './key-name.js';
import type { KeyValue } from './key-value.js';
import type { WaitOptions } from './kv.js';
import type { CoordLogger } from './logger.js';
import type { Key } from './range.js';
import type { RangeCache } from './range-cache.js';
import { assertValid, checkRevision, checkWaitOptions } from './validation.js';
import { Wait } from './wait.js';
import type { WatchBatch } from './watch.js';

/** One caller's decoded view of a shared raw copy. Each raw value is decoded once, when first read. */
export class CacheView<T> implements WatchCache<T> {
  readonly #raw: RangeCache;
  readonly #release: () => Promise<void>;
  readonly #decode: CacheOptions<T>['decode'];
  readonly #logger: CoordLogger;
  readonly #defaultWaitMs: number;
  readonly #decoded = new WeakMap<KeyValue, { value: T | undefined }>();
  readonly #streams = new Set<ChangeStream<T>>();
  /** From the first time that somebody wants them all. */
  #entries: DecodedEntries<T> | undefined;
  #stopListening: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    raw: RangeCache,
    release: () => Promise<void>,
    options: CacheOptions<T>,
    logger: CoordLogger,
    defaultWaitMs: number,
  ) {
    this.#raw = raw;
    this.#release = release;
    this.#decode = options.decode;
    this.#logger = logger;
    this.#defaultWaitMs = defaultWaitMs;
  }

  get ready(): Promise<void> {
    return this.#raw.ready;
  }

  get(key: Key): T | undefined {
    const kv = this.#raw.entries.get(nameOf(key));
    return kv === undefined ? undefined : this.#valueOf(kv);
  }

  entries(): ReadonlyMap<string, T> {
    if (this.#entries === undefined) {
      const entries = new DecodedEntries(this.#raw.entries, (kv) => this.#valueOf(kv));
      this.#entries = entries;
      if (this.#closing === undefined) {
        const updated = ({ events }: WatchBatch) => entries.apply(events);
        this.#stopListening = this.#raw.listen({ updated, failed: () => {} });
      }
    }
    return this.#entries.snapshot;
  }

  get revision(): bigint {
    return this.#raw.revision;
  }

  get source(): CacheSource {
    return this.#raw.source;
  }

  get ageMs(): number {
    return this.#raw.ageMs;
  }

  async waitFor(revision: bigint, options?: WaitOptions): Promise<void> {
    assertValid(checkWaitOptions(checkRevision([], 'revision', revision), options));
    using wait = new Wait(options, `cache at revision ${revision}`);
    await wait.race(this.#until(() => this.#raw.revision >= revision, wait.signal));
  }

  async synced(options: WaitOptions = {}): Promise<void> {
    assertValid(checkWaitOptions([], options));
    const { error } = this.#raw;
    if (error) throw error; // it will not be in step ever again
    const shown = this.#raw.ownWrites();
    if (shown() && !options.signal?.aborted) return;
    using wait = new Wait({ timeoutMs: this.#defaultWaitMs, ...options }, 'own writes in a cache');
    await wait.race(this.#until(shown, wait.signal));
  }

  changes(): ChangeStream<T> {
    const { error } = this.#raw;
    let stopListening = () => {};
    const stream = new ChangeStream<T>(() => {
      stopListening();
      this.#streams.delete(stream);
    });
    if (this.#closing !== undefined || error instanceof ClosedError) stream.end();
    else if (error) stream.fail(error);
    else {
      this.#streams.add(stream);
      stopListening = this.#raw.listen({
        updated: (batch) => stream.push(this.#update(batch)),
        failed: (reason) => (reason instanceof ClosedError ? stream.end() : stream.fail(reason)),
      });
    }
    return stream;
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    this.#stopListening?.();
    for (const stream of [...this.#streams]) stream.end();
    await this.#release();
  }

  #until(reached: () => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settled = (): boolean => {
        if (this.#raw.error) reject(this.#raw.error);
        else if (reached()) resolve();
        else return false;
        return true;
      };
      if (settled()) return;
      const stop = this.#raw.onProgress(() => {
        if (settled()) stop();
      });
      signal.addEventListener('abort', stop, { once: true });
    });
  }

  #update({ revision, resync, events }: WatchBatch): CacheUpdate<T> {
    const changes = events.map(({ type, key, kv, previous }): CacheChange<T> => {
      const value = type === 'put' ? this.#valueOf(kv) : undefined;
      const before = previous === undefined ? undefined : this.#valueOf(previous);
      return {
        type,
        key,
        kv,
        ...(value === undefined ? {} : { value }),
        ...(before === undefined ? {} : { previous: before }),
      };
    });
    return { revision, resync, changes };
  }

  #valueOf(kv: KeyValue): T | undefined {
    let decoded = this.#decoded.get(kv);
    if (decoded === undefined) {
      decoded = { value: this.#tryDecode(kv) };
      this.#decoded.set(kv, decoded);
    }
    return decoded.value;
  }

  #tryDecode(kv: KeyValue): T | undefined {
    try {
      return this.#decode(kv);
    } catch (error) {
      // Only the name: messages such as JSON.parse's quote the value.
      const reason = error instanceof Error ? error.name : typeof error;
      this.#logger.warn('a value cannot be decoded and is left out', { key: kv.key, reason });
      return undefined;
    }
  }
}
