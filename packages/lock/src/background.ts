import { ClosedError } from '@coord/client';
import { type Backoff, type CoordLogger, monotonicNow } from '@coord/client/internal';
import { persist } from './persist.js';

/** Something to be removed from etcd. */
export interface Leaving {
  readonly name: string;
  leave(): Promise<boolean>;
  /** Whether no lease is alive any more that could keep the key. */
  isMoot(): boolean;
}

/** How a removal ended: by us; it was gone before; or left to the lease, which has ended. */
export type Left = 'removed' | 'gone' | 'left-to-lease';

/**
 * What goes on although no caller waits for it: above all removals, repeated until etcd has answered.
 *
 * Removals are bounded: once the session is lost, its lease removes the key, and nobody needs to.
 */
export class Background {
  readonly #logger: CoordLogger;
  readonly #backoff: Backoff;
  readonly #running = new Set<Promise<unknown>>();

  constructor(logger: CoordLogger, backoff: Backoff) {
    this.#logger = logger;
    this.#backoff = backoff;
  }

  /** Removes a key for good. Never rejects. */
  remove(leaving: Leaving): Promise<Left> {
    return this.own(this.#remove(leaving));
  }

  /** Lets `settled` wait for an operation; its outcome is for the caller. */
  own<T>(operation: Promise<T>): Promise<T> {
    const settled = operation
      .catch(() => undefined)
      .then(() => {
        this.#running.delete(settled);
      });
    this.#running.add(settled);
    return operation;
  }

  /** Resolves when nothing is left to do. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #remove(leaving: Leaving): Promise<Left> {
    // Deleting the key now would only shorten the time that a holder who has just lost it has to stop.
    if (leaving.isMoot()) return 'left-to-lease';
    const startedAt = monotonicNow();
    let failures = 0;
    try {
      const removed = await persist(() => leaving.leave(), {
        backoff: this.#backoff,
        isWorthRepeating: (error) => !leaving.isMoot() && !(error instanceof ClosedError),
        onFailure: (error) => {
          failures += 1;
          if (failures === 1)
            this.#logger.warn('lock key not removed yet, trying on', { key: leaving.name, error });
        },
      });
      return removed ? 'removed' : 'gone';
    } catch (error) {
      this.#logger.warn('lock key left to its lease', {
        key: leaving.name,
        durationMs: Math.round(monotonicNow() - startedAt),
        error,
      });
      return 'left-to-lease';
    }
  }
}
