import { AbortedError, type CacheUpdate, type KeyValue, type Range, type WatchCache } from '@coord/client';
import { backoffDelayMs, delay, manyMayListen, raceAbort } from '@coord/client/internal';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ConfigChange, ConfigWatch } from './config-change.js';
import type { ConfigStore } from './config-store.js';
import {
  isOutage,
  type JoinedChange,
  type JoinedUpdate,
  joinChanges,
  toConfigChange,
} from './join-changes.js';
import { bareState, type KeyState } from './key-state.js';

/** What to watch: one key, or everything below a prefix. */
export interface WatchScope {
  readonly range: Range;
  /** The config prefix of the records; for a single key unused. */
  readonly below: string;
  /** Set for a single key. */
  readonly key: string | undefined;
}

export interface WatcherOptions {
  readonly schema: StandardSchemaV1 | undefined;
  readonly initial: boolean;
  readonly signal: AbortSignal | undefined;
  readonly onClose: (watcher: ConfigWatcher) => void;
}

const OUTAGE = { initialDelayMs: 50, maxDelayMs: 2000, multiplier: 2 };

export class ConfigWatcher implements ConfigWatch {
  readonly ready: Promise<void>;
  readonly #store: ConfigStore;
  readonly #scope: WatchScope;
  readonly #options: WatcherOptions;
  readonly #copy: WatchCache<KeyValue>;
  readonly #started: Promise<Start>;
  readonly #stop = new AbortController();
  /** What has been delivered last, for each present key. */
  readonly #states = new Map<string, KeyState>();
  readonly #onAbort = () => void this.#end(abortedBy(this.#options.signal)).catch(() => undefined);
  #iterating = false;
  #closing: Promise<void> | undefined;

  constructor(store: ConfigStore, scope: WatchScope, options: WatcherOptions) {
    this.#store = store;
    this.#scope = scope;
    this.#options = options;
    if (options.signal?.aborted) throw abortedBy(options.signal);
    this.#copy = store.client.cache(scope.range, { decode: (kv: KeyValue) => kv });
    manyMayListen(options.signal);
    options.signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#started = this.#start();
    this.ready = this.#started.then(() => undefined);
    this.ready.catch(() => undefined);
  }

  get live(): boolean {
    return !this.#stop.signal.aborted && this.#copy.source === 'live';
  }

  [Symbol.asyncIterator](): AsyncIterator<ConfigChange> {
    if (this.#iterating) throw new TypeError('a config watch has one consumer; call watch() again');
    this.#iterating = true;
    return this.#changes();
  }

  close(): Promise<void> {
    return this.#end(CLOSED);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #start(): Promise<Start> {
    await raceAbort(this.#copy.ready, this.#stop.signal);
    await this.#catchUp();
    for (;;) {
      const updates = this.#copy.changes();
      const present = {
        revision: this.#copy.revision,
        resync: true,
        changes: [...this.#copy.entries().values()].map(asPut),
      };
      const { changes: initial, complete } = await this.#join(present);
      if (complete) {
        for (const { key, state } of initial) this.#states.set(key, state);
        return { updates, initial, revision: present.revision };
      }
      // Overtaken by so many writes that what was there is unknown by now: begin with what is there then.
      await updates[Symbol.asyncDispose]();
      await this.#copy.waitFor(present.revision + 1n, { signal: this.#stop.signal });
    }
  }

  /**
   * Waits until the copy shows what etcd has now: it is shared with others on this client, so it may be
   * an old one, and behind. It is up to date when no key in etcd is newer and none is missing.
   */
  async #catchUp(): Promise<void> {
    const { signal } = this.#stop;
    const copy = this.#copy;
    const { kvs, count, revision } = await this.#untilAnswered(() =>
      this.#store.client.kv.range(this.#scope.range, {
        limit: 1,
        keysOnly: true,
        sort: { by: 'mod', order: 'descend' },
        signal,
      }),
    );
    const newest = kvs[0]?.modRevision ?? 0n;
    const behind = () => newest > copy.revision || count !== copy.entries().size;
    while (copy.revision < revision && behind()) await copy.waitFor(copy.revision + 1n, { signal });
  }

  async *#changes(): AsyncGenerator<ConfigChange, void, undefined> {
    const { schema, initial } = this.#options;
    try {
      const start = await raceAbort(this.#started, this.#stop.signal);
      if (initial) {
        for (const change of this.#presentOrAbsent(start))
          yield toConfigChange(this.#store, change, undefined, schema);
      }
      for await (const update of start.updates) {
        const { changes } = await this.#join(update);
        for (const change of changes) {
          const previous = this.#states.get(change.key);
          if (change.state.raw === undefined) this.#states.delete(change.key);
          else this.#states.set(change.key, change.state);
          yield toConfigChange(this.#store, change, previous, schema);
        }
      }
      this.#stop.signal.throwIfAborted();
    } catch (error) {
      if (this.#stop.signal.reason !== CLOSED) throw error;
    } finally {
      await this.close();
    }
  }

  /** A watched key that is absent is said to be so: the consumer need not read it as well. */
  #presentOrAbsent({ initial, revision }: Start): readonly JoinedChange[] {
    const { key } = this.#scope;
    if (initial.length > 0 || key === undefined) return initial;
    return [{ key, revision, state: bareState(undefined, false), last: true }];
  }

  #join(update: CacheUpdate<KeyValue>): Promise<JoinedUpdate> {
    const { signal } = this.#stop;
    const { below } = this.#scope;
    const [change] = update.changes;
    if (change === undefined || update.changes.length > 1) {
      return this.#untilAnswered(() => joinChanges(this.#store, update, below, signal));
    }
    // Many may watch the same key, and all of them hear of a change at the same moment.
    const { type, kv } = change;
    const name = `${type} ${kv.key}@${kv.modRevision} as of ${update.revision}`;
    const join = () => joinChanges(this.#store, update, below, new AbortController().signal);
    return this.#untilAnswered(() => this.#store.joins.read(name, join, signal));
  }

  /** Goes on until etcd answers: a change that has been seen must be delivered. */
  async #untilAnswered<T>(read: () => Promise<T>): Promise<T> {
    const { signal } = this.#stop;
    for (let attempt = 1; ; attempt++) {
      try {
        return await read();
      } catch (error) {
        if (signal.aborted || !isOutage(error)) throw error;
        this.#store.logger.debug('config watch waits for etcd', { attempt, error });
        await delay(backoffDelayMs(attempt, OUTAGE), signal);
      }
    }
  }

  #end(reason: unknown): Promise<void> {
    this.#closing ??= this.#shutDown(reason);
    return this.#closing;
  }

  async #shutDown(reason: unknown): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#stop.abort(reason);
    this.#options.onClose(this);
    await this.#copy.close();
  }
}

interface Start {
  readonly updates: AsyncIterable<CacheUpdate<KeyValue>>;
  readonly initial: readonly JoinedChange[];
  readonly revision: bigint;
}

/** The abort reason of a watch that its owner closed: the loop ends instead of throwing. */
const CLOSED = Symbol('closed');

function asPut(kv: KeyValue): { type: 'put'; key: string; value: KeyValue; kv: KeyValue } {
  return { type: 'put', key: kv.key, value: kv, kv };
}

function abortedBy(signal: AbortSignal | undefined): AbortedError {
  return new AbortedError('config watch: aborted by the caller', { cause: signal?.reason });
}
