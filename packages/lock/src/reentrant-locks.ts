import type { CoordClient } from '@coord/client';
import { assertValid, type NamesOf, show } from '@coord/client/internal';
import { waitInQueue } from './acquire-wait.js';
import type { Progress } from './acquisition.js';
import { queuePrefix } from './lock-key.js';
import type { Mutexes } from './mutexes.js';
import { ACQUIRE_NAMES, checkAcquire, type ResolvedLockConfig } from './options.js';
import { ReentrantHold } from './reentrant-hold.js';
import type { AcquireReentrantOptions, ReentrantLock } from './reentrant-lock.js';

/** What an owner holds or is about to hold. */
interface Owned {
  readonly acquiring: Promise<ReentrantHold>;
  /** Ends the acquisition when nobody waits for it any more. */
  readonly stop: AbortController;
  readonly progress: Progress;
  hold: ReentrantHold | undefined;
  waiting: number;
}

/** By queue and owner. An owner is known on the whole client, by whichever `createLocks` he asks. */
const ownedOn = new WeakMap<CoordClient, Map<string, Owned>>();

/** The reentrant locks of one `createLocks`: mutexes whose owners are let in again. */
export class ReentrantLocks {
  readonly #client: CoordClient;
  readonly #config: ResolvedLockConfig;
  readonly #mutexes: Mutexes;
  readonly #owned: Map<string, Owned>;

  constructor(client: CoordClient, config: ResolvedLockConfig, mutexes: Mutexes) {
    this.#client = client;
    this.#config = config;
    this.#mutexes = mutexes;
    this.#owned = ownedOn.get(client) ?? new Map();
    ownedOn.set(this.#client, this.#owned);
  }

  /** @see DistributedLock.acquireReentrant */
  async acquire(key: string, options: AcquireReentrantOptions = {}): Promise<ReentrantLock> {
    this.#check(key, options);
    const { owner, ...acquire } = options;
    if (owner === undefined) {
      return new ReentrantHold(await this.#mutexes.acquire(key, acquire), () => undefined).enter();
    }
    const id = `${queuePrefix(this.#config, key)}\0${owner}`;
    let owned: Owned | undefined;
    using wait = waitInQueue(key, acquire, () => this.#mutexes.view(key, owned?.progress ?? {}));
    for (;;) {
      owned = this.#ownedBy(id) ?? this.#begin(id, key, acquire);
      owned.waiting += 1;
      try {
        const hold = await wait.race(owned.acquiring);
        // Otherwise the others have left it meanwhile, or it was lost.
        if (hold.isOpen) return hold.enter();
      } finally {
        owned.waiting -= 1;
        if (owned.waiting === 0) this.#giveUpIfUnused(id, owned);
      }
    }
  }

  /** What can still be entered. */
  #ownedBy(id: string): Owned | undefined {
    const owned = this.#owned.get(id);
    return owned?.hold?.isOpen === false ? undefined : owned;
  }

  /** One acquisition for all who ask as this owner while it is under way; the first one's options hold. */
  #begin(id: string, key: string, { ttlMs, purpose, allowNested }: AcquireReentrantOptions): Owned {
    const stop = new AbortController();
    const progress: Progress = {};
    const options = { ttlMs, purpose, allowNested, signal: stop.signal };
    const acquiring = this.#mutexes.acquire(key, options, progress).then((lock) => {
      owned.hold = new ReentrantHold(lock, () => this.#forget(id, owned));
      if (owned.waiting === 0) this.#giveUpIfUnused(id, owned);
      return owned.hold;
    });
    const owned: Owned = { acquiring, stop, progress, hold: undefined, waiting: 0 };
    acquiring.catch(() => this.#forget(id, owned)); // whoever waits is told
    this.#owned.set(id, owned);
    return owned;
  }

  #giveUpIfUnused(id: string, owned: Owned): void {
    if (owned.hold === undefined) {
      this.#forget(id, owned);
      owned.stop.abort();
    } else if (!owned.hold.wasEntered) {
      this.#forget(id, owned);
      void owned.hold.lock[Symbol.asyncDispose]();
    }
  }

  #forget(id: string, owned: Owned): void {
    if (this.#owned.get(id) === owned) this.#owned.delete(id);
  }

  /** @throws {ValidationError} */
  #check(key: unknown, options: AcquireReentrantOptions): void {
    checkAcquire(key, options, this.#config, NAMES);
    if (!this.#config.enableReentrant) {
      const message = 'reentrant locks are turned off by enableReentrant: false; use acquire()';
      assertValid([{ path: 'enableReentrant', message }]);
    }
    const { owner } = options;
    if (owner === undefined) return;
    if (typeof owner !== 'string' || owner === '') {
      assertValid([{ path: 'owner', message: `must be a text that is not empty, got ${show(owner)}` }]);
    }
    if (Buffer.byteLength(owner) > MAX_OWNER_BYTES) {
      assertValid([{ path: 'owner', message: `must be at most ${MAX_OWNER_BYTES} bytes` }]);
    }
  }
}

const MAX_OWNER_BYTES = 512;
const NAMES = { ...ACQUIRE_NAMES, owner: true } satisfies NamesOf<AcquireReentrantOptions>;
