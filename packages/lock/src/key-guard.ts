import { CompactedError } from '@coord/client';
import { Cancellation, raceAbort } from '@coord/client/internal';
import type { Hold } from './hold.js';
import type { LockSupport } from './lock-support.js';
import { persist } from './persist.js';

/** A key that lives for less time than this never gets a watch: that would cost more than the lock. */
const ATTACH_AFTER_MS = 250;

type Guarded = Pick<Hold, 'name' | 'etcdKeys' | 'isPresent'>;

/**
 * Watches a contender's own keys, waiting or holding, and calls back once one is gone: an operator
 * may delete it, and etcd has been seen to drop a lease whose keepalives succeed.
 */
export class KeyGuard {
  readonly #support: LockSupport;
  readonly #guarded: Guarded;
  readonly #stopped = new Cancellation();
  readonly #timer: NodeJS.Timeout;

  constructor(support: LockSupport, guarded: Guarded, onGone: () => void) {
    this.#support = support;
    this.#guarded = guarded;
    this.#timer = setTimeout(() => void this.#guard(onGone), ATTACH_AFTER_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#stopped.abort(undefined);
  }

  async #guard(onGone: () => void): Promise<void> {
    const { signal } = this.#stopped;
    try {
      await Promise.race(this.#guarded.etcdKeys.map((key) => this.#untilGone(key)));
      if (!signal.aborted) onGone();
    } catch (error) {
      if (signal.aborted) return;
      this.#support.logger.warn('lock key can not be watched; its deletion would go unnoticed', {
        key: this.#guarded.name,
        error,
      });
    }
  }

  async #untilGone(etcdKey: string): Promise<void> {
    while (!(await this.#seenGone(etcdKey))) this.#stopped.throwIfAborted();
  }

  /** Watches until the key is seen to be gone (or another of the same hold), or until a new watch is needed. */
  async #seenGone(etcdKey: string): Promise<boolean> {
    const { signal } = this.#stopped;
    const watch = this.#support.client.watch(etcdKey, { ignore: 'put', resync: 'error', signal });
    try {
      await raceAbort(watch.ready, signal);
      // It may have gone before the watch was attached.
      const isGone = async () => !(await this.#guarded.isPresent({ signal }));
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
