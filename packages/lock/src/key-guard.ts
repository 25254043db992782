import { CompactedError } from '@coord/client';
import { raceAbort } from '@coord/client/internal';
import type { LockSupport } from './lock-support.js';
import type { MutexContender } from './mutex-queue.js';
import { persist } from './persist.js';

/** A key that lives for less time than this never gets a watch: that would cost more than the lock. */
const ATTACH_AFTER_MS = 250;

/**
 * Watches a contender's own key, waiting or holding, and calls back once it is gone: an operator
 * may delete it, and etcd has been seen to drop a lease whose keepalives succeed.
 */
export class KeyGuard {
  readonly #support: LockSupport;
  readonly #contender: MutexContender;
  readonly #stopped = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(support: LockSupport, contender: MutexContender, onGone: () => void) {
    this.#support = support;
    this.#contender = contender;
    this.#timer = setTimeout(() => void this.#guard(onGone), ATTACH_AFTER_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#stopped.abort();
  }

  async #guard(onGone: () => void): Promise<void> {
    const { signal } = this.#stopped;
    try {
      while (!(await this.#seenGone())) signal.throwIfAborted();
      if (!signal.aborted) onGone();
    } catch (error) {
      if (signal.aborted) return;
      this.#support.logger.warn('lock key can not be watched; its deletion would go unnoticed', {
        key: this.#contender.key.name,
        error,
      });
    }
  }

  /** Watches until the key is seen to be gone, or until a new watch is needed. */
  async #seenGone(): Promise<boolean> {
    const { signal } = this.#stopped;
    const watch = this.#support.client.watch(this.#contender.key.etcdKey, {
      ignore: 'put',
      resync: 'error',
      signal,
    });
    try {
      await raceAbort(watch.ready, signal);
      // It may have gone before the watch was attached.
      const isGone = async () => !(await this.#contender.isPresent({ signal }));
      if (await persist(isGone, { signal, backoff: this.#support.backoff })) return true;
      for await (const _deletion of watch) return true;
    } catch (error) {
      if (!(error instanceof CompactedError)) throw error;
    } finally {
      void watch.close().catch(() => undefined);
    }
    return false;
  }
}
