import type { ConfigStore } from './config-store.js';
import { Following, type WatchScope } from './following.js';

/** A share in a following. */
export interface FollowingRef {
  readonly following: Following;
  /** Gives it back: with the last one it ends. Idempotent. */
  release(): Promise<void>;
}

interface Shared {
  readonly following: Following;
  users: number;
}

/** What is followed on one centre: each key and each prefix once, for as long as somebody watches it. */
export class Followings {
  readonly #store: ConfigStore;
  readonly #shared = new Map<string, Shared>();

  constructor(store: ConfigStore) {
    this.#store = store;
  }

  join(scope: WatchScope): FollowingRef {
    const name = scope.key === undefined ? `below ${scope.below}` : `key ${scope.key}`;
    const shared = this.#shared.get(name) ?? this.#open(name, scope);
    shared.users++;
    let released = false;
    const release = async () => {
      if (released) return;
      released = true;
      if (--shared.users > 0) return;
      this.#forget(name, shared);
      await shared.following.close();
    };
    return { following: shared.following, release };
  }

  #open(name: string, scope: WatchScope): Shared {
    const following = new Following(this.#store, scope, () => this.#forget(name, shared));
    const shared: Shared = { following, users: 0 };
    this.#shared.set(name, shared);
    return shared;
  }

  #forget(name: string, shared: Shared): void {
    if (this.#shared.get(name) === shared) this.#shared.delete(name);
  }
}
