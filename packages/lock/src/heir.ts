import type { Contender, Standing } from './contender.js';
import type { Following } from './queue-watch.js';
import type { Prepared } from './session-attempts.js';

/** A contender that the one before it took along into the queue. */
export interface TakenAlong {
  /** Where it stands; undefined if that could not be, so that it must join by itself. */
  readonly standing: Promise<Standing | undefined>;
  /** Follows the queue since before it was taken along, where the watch of the queue was running. */
  readonly following: Following | undefined;
}

/**
 * The next one in line gets ready before its turn, so that the one before it can release the lock
 * and let it join the queue in one transaction.
 */
export class Heir {
  readonly #prepareContender: () => Promise<Prepared<Contender>>;
  #prepared: Prepared<Contender> | undefined;
  #takenAlong: TakenAlong | undefined;
  #isWanted = true;

  constructor(prepareContender: () => Promise<Prepared<Contender>>) {
    this.#prepareContender = prepareContender;
  }

  prepare(): void {
    this.#prepareContender().then(
      (prepared) => {
        if (this.#isWanted) this.#prepared = prepared;
        else prepared.ref.release();
      },
      () => undefined, // when its turn comes, it tries again and reports
    );
  }

  /** The contender to be taken along, if it is ready and its session lives. */
  get contender(): Contender | undefined {
    return this.#isReady ? this.#prepared?.entry : undefined;
  }

  takeAlong(takenAlong: TakenAlong): void {
    this.#takenAlong = takenAlong;
  }

  /** What there is for the acquisition whose turn it is. */
  take(): (Prepared<Contender> & { readonly takenAlong: TakenAlong | undefined }) | undefined {
    if (this.#prepared === undefined || (this.#takenAlong === undefined && !this.#isReady)) {
      this.discard();
      return undefined;
    }
    return { ...this.#prepared, takenAlong: this.#takenAlong };
  }

  discard(): void {
    this.#isWanted = false;
    this.#prepared?.ref.release();
  }

  get #isReady(): boolean {
    return this.#prepared?.ref.session.state === 'alive';
  }
}
