import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type CacheChange,
  type CacheUpdate,
  ClosedError,
  type KeyValue,
  type Range,
  type WatchCache,
} from '@coord/client';
import { backoffDelayMs, ChangeStream, delay, raceAbort, SharedRead } from '@coord/client/internal';
import type { ConfigStore } from './config-store.js';
import { isOutage, type JoinedUpdate, joinChanges } from './join-changes.js';
import type { KeyState } from './key-state.js';
import { SharedValues } from './shared-values.js';

/** What to follow: one key, or everything below a prefix. */
export interface WatchScope {
  readonly range: Range;
  /** The config prefix of the records; for a single key unused. */
  readonly below: string;
  /** Set for a single key. */
  readonly key: string | undefined;
}

/** Where one watch begins: what was there at a moment, by key, and everything from there on. */
export interface Beginning {
  readonly present: ReadonlyMap<string, KeyState>;
  readonly revision: bigint;
  readonly updates: ChangeStream<KeyState>;
}

const OUTAGE = { initialDelayMs: 50, maxDelayMs: 2000, multiplier: 2 };

/**
 * Follows a key or a prefix for all who watch it: one copy, each change joined with its record once. What a slow
 * consumer has not taken waits in a bounded stream of his own, and holds up nobody.
 */
export class Following {
  /** For those who share what they get. */
  readonly values: SharedValues;
  readonly #store: ConfigStore;
  readonly #scope: WatchScope;
  readonly #copy: WatchCache<KeyValue>;
  readonly #newest: SharedRead<Newest>;
  readonly #started: Promise<AsyncIterable<CacheUpdate<KeyValue>>>;
  readonly #stop = new AbortController();
  /** Each present key, and the revision, as of the update that was told last. */
  readonly #states = new Map<string, KeyState>();
  #revision = 0n;
  readonly #streams = new Set<ChangeStream<KeyState>>();
  /** An update that is being joined. */
  #taking: Promise<void> | undefined;

  /** @param onOver it has ended: who comes now needs another one */
  constructor(store: ConfigStore, scope: WatchScope, onOver: () => void) {
    this.#store = store;
    this.#scope = scope;
    this.values = new SharedValues(store);
    this.#copy = store.client.cache(scope.range, { decode: (kv: KeyValue) => kv });
    this.#newest = new SharedRead(() => this.#readNewest());
    this.#started = this.#start();
    this.#run().then(
      () => this.#end(closed(), (stream) => stream.end(), onOver),
      (error: unknown) => this.#end(error, (stream) => stream.fail(error), onOver),
    );
  }

  get live(): boolean {
    return this.#copy.source === 'live';
  }

  /** @throws what has ended it, or the reason of `signal` */
  async begin(signal: AbortSignal): Promise<Beginning> {
    const [newest] = await raceAbort(Promise.all([this.#newest.get(), this.#started]), signal);
    await this.#showing(newest, signal);
    const { revision } = this.#copy;
    await raceAbort(this.#told(revision), signal);
    signal.throwIfAborted();
    this.#stop.signal.throwIfAborted();
    // In one tick: no change can fall between what is there and the updates.
    const updates: ChangeStream<KeyState> = new ChangeStream(() => this.#streams.delete(updates));
    this.#streams.add(updates);
    return { present: new Map(this.#states), revision, updates };
  }

  async close(): Promise<void> {
    this.#stop.abort(closed());
    await this.#copy.close();
  }

  async #run(): Promise<void> {
    for await (const update of await this.#started) {
      this.#taking = this.#take(update);
      await this.#taking;
      this.#taking = undefined;
    }
  }

  #end(reason: unknown, tell: (stream: ChangeStream<KeyState>) => void, onOver: () => void): void {
    onOver();
    for (const stream of [...this.#streams]) tell(stream);
    this.#stop.abort(reason);
    this.#copy.close().catch(() => undefined); // it keeps no file: there is nothing that could fail
  }

  async #start(): Promise<AsyncIterable<CacheUpdate<KeyValue>>> {
    const { signal } = this.#stop;
    await raceAbort(this.#copy.ready, signal);
    for (;;) {
      const updates = this.#copy.changes();
      const { revision } = this.#copy;
      const changes = [...this.#copy.entries().values()].map(asPut);
      const present = await this.#join({ revision, resync: true, changes });
      if (present.complete) {
        for (const { key, state } of present.changes) this.#states.set(key, state);
        this.#revision = revision;
        return updates;
      }
      // Overtaken by so many writes that what was there is unknown by now: begin with what is there then.
      await updates[Symbol.asyncDispose]();
      await this.#copy.waitFor(revision + 1n, { signal });
    }
  }

  async #take(update: CacheUpdate<KeyValue>): Promise<void> {
    const { revision, resync } = update;
    const changes = (await this.#join(update)).changes.map(({ key, kv, state }): CacheChange<KeyState> => {
      const previous = this.#states.get(key);
      if (state.raw === undefined) this.#states.delete(key);
      else this.#states.set(key, state);
      const type = state.raw === undefined ? 'delete' : 'put';
      return { type, key, kv, value: state, ...(previous && { previous }) };
    });
    this.#revision = revision;
    if (changes.length === 0) return;
    for (const stream of [...this.#streams]) stream.push({ revision, resync, changes });
  }

  #join(update: CacheUpdate<KeyValue>): Promise<JoinedUpdate> {
    const { signal } = this.#stop;
    return this.#untilAnswered(() => joinChanges(this.#store, update, this.#scope.below, signal));
  }

  #readNewest(): Promise<Newest> {
    return this.#untilAnswered(async () => {
      const { kvs, count, revision } = await this.#store.client.kv.range(this.#scope.range, {
        limit: 1,
        keysOnly: true,
        sort: { by: 'mod', order: 'descend' },
        signal: this.#stop.signal,
      });
      return { modRevision: kvs[0]?.modRevision ?? 0n, count, revision };
    });
  }

  /**
   * Waits until the copy shows what etcd has: it is shared with others on this client, so it may be
   * an old one, and behind. It is up to date when no key in etcd is newer and none is missing.
   */
  async #showing({ modRevision, count, revision }: Newest, signal: AbortSignal): Promise<void> {
    const copy = this.#copy;
    const behind = () => modRevision > copy.revision || count !== copy.entries().size;
    while (copy.revision < revision && behind()) await copy.waitFor(copy.revision + 1n, { signal });
  }

  /** Waits until what the copy has had by now has been told. */
  async #told(revision: bigint): Promise<void> {
    do {
      await this.#taking;
      await nextTurn(); // an update may be on its way to us, some microtasks away
    } while (this.#taking !== undefined && this.#revision < revision);
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
}

/** What etcd has in the range, as little of it as tells whether a copy has it, too. */
interface Newest {
  readonly modRevision: bigint;
  readonly count: number;
  readonly revision: bigint;
}

function closed(): ClosedError {
  return new ClosedError('the watched range is no longer followed');
}

function asPut(kv: KeyValue): { type: 'put'; key: string; value: KeyValue; kv: KeyValue } {
  return { type: 'put', key: kv.key, value: kv, kv };
}
