import { ClosedError } from '@coord/client';
import { type Backoff, type CoordLogger, monotonicNow } from '@coord/client/internal';
import { persistAfter } from './persist.js';

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
  #running = 0;
  /** Those who wait until nothing is left to do. */
  #onSettled: (() => void)[] = [];
  readonly #onEnd = () => {
    this.#running--;
    if (this.#running > 0) return;
    for (const settled of this.#onSettled.splice(0)) settled();
  };

  constructor(logger: CoordLogger, backoff: Backoff) {
    this.#logger = logger;
    this.#backoff = backoff;
  }

  /** Removes a key for good. Never rejects. */
  remove(leaving: Leaving): Promise<Left> {
    // Deleting the key now would only shorten the time that a holder who has just lost it has to stop.
    if (leaving.isMoot()) return Promise.resolve('left-to-lease');
    const startedAt = monotonicNow();
    return this.own(
      leaving.leave().then(howItLeft, (error: unknown) => this.#removeAfter(error, leaving, startedAt)),
    );
  }

  /** Lets `settled` wait for an operation; its outcome is for the caller. */
  own<T>(operation: Promise<T>): Promise<T> {
    this.#running++;
    operation.then(this.#onEnd, this.#onEnd);
    return operation;
  }

  /** Resolves when nothing is left to do. */
  async settled(): Promise<void> {
    while (this.#running > 0) await new Promise<void>((resolve) => this.#onSettled.push(resolve));
  }

  async #removeAfter(failure: unknown, leaving: Leaving, startedAt: number): Promise<Left> {
    let failures = 0;
    const isWorthRepeating = (error: unknown) => !leaving.isMoot() && !(error instanceof ClosedError);
    try {
      const removed = await persistAfter(failure, () => leaving.leave(), {
        backoff: this.#backoff,
        isWorthRepeating,
        onFailure: (error) => {
          failures += 1;
          if (failures === 1)
            this.#logger.warn('lock key not removed yet, trying on', { key: leaving.name, error });
        },
      });
      return howItLeft(removed);
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

function howItLeft(removed: boolean): Left {
  return removed ? 'removed' : 'gone';
}
