import { AbortedError, type CacheChange, ClosedError } from '@coord/client';
import { manyMayListen, raceAbort } from '@coord/client/internal';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ConfigChange, ConfigWatch } from './config-change.js';
import type { ConfigStore } from './config-store.js';
import type { Beginning, WatchScope } from './following.js';
import type { FollowingRef, Followings } from './followings.js';
import { bareState, type KeyState } from './key-state.js';
import { checkedValueOf, plainValueOf, type StateChange, toConfigChange } from './to-config-change.js';

export interface WatcherOptions {
  readonly schema: StandardSchemaV1 | undefined;
  readonly initial: boolean;
  /** Several consumers get the same values, frozen, and no schema checks them. */
  readonly shared: boolean;
  readonly signal: AbortSignal | undefined;
  readonly onClose: (watcher: ConfigWatcher) => void;
}

/** One consumer's watch of what is followed for all. */
export class ConfigWatcher implements ConfigWatch {
  readonly ready: Promise<void>;
  readonly #store: ConfigStore;
  readonly #key: string | undefined;
  readonly #options: WatcherOptions;
  readonly #followed: FollowingRef;
  readonly #begun: Promise<void>;
  /** What was there at the beginning, until it has been told. */
  #initial: Omit<Beginning, 'updates'> | undefined;
  #updates: Beginning['updates'] | undefined;
  readonly #stop = new AbortController();
  readonly #onAbort = () => void this.#end(abortedBy(this.#options.signal)).catch(() => undefined);
  #iterating = false;
  #closing: Promise<void> | undefined;

  constructor(store: ConfigStore, followings: Followings, scope: WatchScope, options: WatcherOptions) {
    const { signal } = options;
    if (signal?.aborted) throw abortedBy(signal);
    this.#store = store;
    this.#key = scope.key;
    this.#options = options;
    this.#followed = followings.join(scope);
    manyMayListen(signal);
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#begun = this.#begin();
    this.#begun.catch(() => undefined);
    this.ready = this.#begun.catch((error: unknown) => {
      throw error === CLOSED ? new ClosedError('config watch: closed before it was in place') : error;
    });
    this.ready.catch(() => undefined);
  }

  get live(): boolean {
    return !this.#stop.signal.aborted && this.#followed.following.live;
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

  async #begin(): Promise<void> {
    const { signal } = this.#stop;
    const { updates, ...initial } = await this.#followed.following.begin(signal);
    this.#updates = updates;
    if (this.#options.initial) this.#initial = initial;
    if (!signal.aborted) return;
    await updates[Symbol.asyncDispose]();
    throw signal.reason;
  }

  async *#changes(): AsyncGenerator<ConfigChange, void, undefined> {
    const { signal } = this.#stop;
    try {
      await raceAbort(this.#begun, signal);
      for (const change of this.#present()) {
        yield this.#told(change);
        if (this.#closing !== undefined) break;
      }
      for await (const { changes } of this.#updates ?? []) {
        for (const [index, change] of changes.entries()) {
          yield this.#told(stateChange(change, index === changes.length - 1));
          if (this.#closing !== undefined) break;
        }
      }
      signal.throwIfAborted();
    } catch (error) {
      if (signal.reason !== CLOSED) throw error;
    } finally {
      await this.close();
    }
  }

  /** A watched key that is absent is said to be so: the consumer need not read it as well. */
  *#present(): Generator<StateChange> {
    if (this.#initial === undefined) return;
    const { present, revision } = this.#initial;
    this.#initial = undefined;
    let left = present.size;
    for (const [key, state] of present) {
      left--;
      yield { key, revision: state.raw?.modRevision ?? revision, state, before: undefined, last: left === 0 };
    }
    if (present.size > 0 || this.#key === undefined) return;
    yield { key: this.#key, revision, state: bareState(undefined, false), before: undefined, last: true };
  }

  #told(change: StateChange): ConfigChange | Promise<ConfigChange> {
    const { schema, shared } = this.#options;
    if (schema !== undefined) return this.#checked(change, schema);
    const { key, state, before } = change;
    const { values } = this.#followed.following;
    const read = (each: KeyState) => (shared ? values.of(key, each) : plainValueOf(this.#store, key, each));
    return toConfigChange(change, read(state), before && read(before));
  }

  async #checked(change: StateChange, schema: StandardSchemaV1): Promise<ConfigChange> {
    const { key, state, before } = change;
    const current = await checkedValueOf(this.#store, key, state, schema);
    return toConfigChange(
      change,
      current,
      before && (await checkedValueOf(this.#store, key, before, schema)),
    );
  }

  #end(reason: unknown): Promise<void> {
    this.#closing ??= this.#shutDown(reason);
    return this.#closing;
  }

  async #shutDown(reason: unknown): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#stop.abort(reason);
    this.#options.onClose(this);
    this.#initial = undefined;
    await this.#updates?.[Symbol.asyncDispose]();
    await this.#followed.release();
  }
}

/** The abort reason of a watch that its owner closed: the loop ends instead of throwing. */
const CLOSED = Symbol('closed');

function stateChange({ key, kv, value, previous }: CacheChange<KeyState>, last: boolean): StateChange {
  const state = value ?? bareState(undefined, false);
  return { key, revision: kv.modRevision, state, before: previous, last };
}

function abortedBy(signal: AbortSignal | undefined): AbortedError {
  return new AbortedError('config watch: aborted by the caller', { cause: signal?.reason });
}
