import { CoordError } from '@coord/client';
import type { Contention } from './contender.js';
import type { OfLock } from './lock-operations.js';

/** Whoever has waited for so long may oust the holder. */
const PATIENCE_MS = 300;
const OUST_ONE_IN = 6;

/** While it lasts, a contender waits, and some of those who wait too long take the lock away from its holder. */
export class Impatience implements AsyncDisposable {
  readonly #contention: Contention;
  readonly #of: OfLock;
  readonly #timer: NodeJS.Timeout;
  #ousting: Promise<void> | undefined;

  constructor(contention: Contention, of: OfLock) {
    this.#contention = contention;
    this.#of = of;
    const ousts = contention.context.random() < 1 / OUST_ONE_IN;
    this.#timer = setTimeout(() => {
      this.#ousting = this.#oust();
    }, PATIENCE_MS);
    if (!ousts) clearTimeout(this.#timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    await this.#ousting;
  }

  async #oust(): Promise<void> {
    const { context, locks, lock } = this.#contention;
    const holder = await locks.inspect(lock).then(
      (inspection) => inspection.holder,
      (error: unknown) => {
        if (!CoordError.is(error)) throw error;
      },
    );
    if (holder === undefined) return;
    const { fencingToken } = holder;
    await context.recorder.perform('oust', { ...this.#of, token: Number(fencingToken) }, async () => {
      await locks.forceRelease(lock, fencingToken);
      return {};
    });
  }
}
