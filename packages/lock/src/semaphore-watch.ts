import { CompactedError, type Watch } from '@coord/client';
import type { LockSupport } from './lock-support.js';
import { persist } from './persist.js';
import type { SemaphoreState } from './semaphore-state.js';

/** One who waits for permits. */
export interface Follower {
  onState(state: SemaphoreState): void;
  /** etcd could not be reached; it is tried again. */
  onFailure(error: unknown): void;
  /** The semaphore can not be watched. */
  onEnd(error: unknown): void;
}

export interface Watched {
  readonly folder: string;
  /** Whether a change of this key can let somebody in: the limit, besides those who leave. */
  readonly limitKey: string;
  look(): Promise<SemaphoreState>;
}

/** How long the watch is relied on at most, in milliseconds, before somebody looks all the same. */
const MAX_QUIET_MS = 20_000;

/** Follows one semaphore for all its waiters in this process: one watch, and one look after each change. */
export class SemaphoreWatch {
  readonly #support: LockSupport;
  readonly #watched: Watched;
  readonly #onIdle: () => void;
  readonly #followers = new Set<Follower>();
  readonly #stopped = new AbortController();
  #quiet: NodeJS.Timeout | undefined;
  #isLooking = false;
  #lookAgain = false;

  /** @param onIdle called when the last follower has gone */
  constructor(support: LockSupport, watched: Watched, onIdle: () => void) {
    this.#support = support;
    this.#watched = watched;
    this.#onIdle = onIdle;
    void this.#run();
  }

  /** @returns the function that ends it */
  follow(follower: Follower): () => void {
    this.#followers.add(follower);
    void this.#look(); // what was before is not told
    return () => {
      if (this.#followers.delete(follower) && this.#followers.size === 0) this.#stop();
    };
  }

  #stop(): void {
    clearTimeout(this.#quiet);
    this.#stopped.abort();
    this.#onIdle();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      // From now on: a watch that starts in the past is served late. After a compaction, too.
      const watch = this.#support.client.watch({ prefix: this.#watched.folder }, { resync: 'error', signal });
      try {
        await this.#followWatch(watch);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof CompactedError)) return this.#fail(error);
      } finally {
        void watch.close().catch(() => undefined);
      }
    }
  }

  async #followWatch(watch: Watch): Promise<void> {
    await watch.ready;
    void this.#look(); // what was missed until it was attached
    for await (const { events } of watch) {
      const { limitKey } = this.#watched;
      if (events.some(({ type, key }) => type === 'delete' || key === limitKey)) void this.#look();
    }
  }

  /** Looks once, however many changes there were meanwhile, and tells everybody. */
  async #look(): Promise<void> {
    this.#lookAgain = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    const { signal } = this.#stopped;
    clearTimeout(this.#quiet);
    try {
      while (this.#lookAgain && !signal.aborted) {
        this.#lookAgain = false;
        const state = await persist(() => this.#watched.look(), {
          signal,
          backoff: this.#support.backoff,
          onFailure: (error) => {
            for (const follower of this.#followers) follower.onFailure(error);
          },
        });
        for (const follower of [...this.#followers]) follower.onState(state);
      }
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    } finally {
      this.#isLooking = false;
    }
    // etcd has been seen to lose an event.
    if (!signal.aborted) {
      this.#quiet = setTimeout(() => void this.#look(), MAX_QUIET_MS * (0.75 + Math.random() / 2));
    }
  }

  #fail(error: unknown): void {
    for (const follower of [...this.#followers]) follower.onEnd(error);
    this.#stop(); // whoever comes later gets a new one
  }
}
