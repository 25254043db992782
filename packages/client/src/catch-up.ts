import { backoffDelayMs, delay } from './backoff.js';
import type { Range } from './range.js';
import type { RangeCopy } from './range-copy.js';
import type { SubscriptionContext } from './watch-subscription.js';

const BACKOFF = { initialDelayMs: 100, maxDelayMs: 2_000, multiplier: 2 };

/** What etcd had in the range at one revision, as little of it as tells whether a copy has it, too. */
interface Goal {
  readonly revision: bigint;
  /** The newest change among the keys that exist. */
  readonly newest: bigint;
  readonly count: number;
}

/**
 * Finds out when a copy that has been attached shows what etcd has.
 *
 * A watch that goes on from the past is attached before its past is delivered, and etcd does not say
 * when that is done. So etcd is asked for the newest change in the range: the copy is up to date when it
 * has reached that and has as many keys.
 */
export class CatchUp {
  readonly #copy: RangeCopy;
  readonly #range: Range;
  readonly #context: SubscriptionContext;
  #running: AbortController | undefined;
  #goal: Goal | undefined;
  #done = false;

  constructor(copy: RangeCopy, range: Range, context: SubscriptionContext) {
    this.#copy = copy;
    this.#range = range;
    this.#context = context;
  }

  /** Whether the copy has followed etcd without a gap since it was attached. */
  get done(): boolean {
    return this.#done;
  }

  /**
   * The copy has been attached.
   * @param headerRevision etcd's newest revision then
   * @param before what has to be done first; it may `stop` this
   */
  start(headerRevision: bigint, before: (isWanted: () => boolean) => Promise<void>): void {
    this.stop();
    const running = new AbortController();
    this.#running = running;
    this.#run(headerRevision, before, running.signal).catch(() => undefined); // only `stop` ends it early
  }

  /** The copy has been detached. */
  stop(): void {
    this.#running?.abort();
    this.#running = undefined;
    this.#goal = undefined;
    this.#done = false;
  }

  /** The copy has taken something over. */
  progressed(): void {
    if (this.#goal === undefined) return;
    const { revision, newest, count } = this.#goal;
    const { revision: reached, entries } = this.#copy;
    if (reached < revision && (reached < newest || entries.size !== count)) return;
    this.#goal = undefined;
    this.#done = true;
  }

  async #run(
    headerRevision: bigint,
    before: (isWanted: () => boolean) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await before(() => !signal.aborted);
        if (signal.aborted) return;
        const goal = await this.#read(headerRevision, signal);
        if (signal.aborted) return;
        this.#goal = goal;
        this.progressed();
        return;
      } catch (error) {
        this.#context.logger.debug('cache does not know yet whether it is up to date', { attempt, error });
        await delay(backoffDelayMs(attempt, BACKOFF), signal);
      }
    }
  }

  async #read(headerRevision: bigint, signal: AbortSignal): Promise<Goal> {
    const reached = this.#copy.revision;
    if (headerRevision <= reached) return { revision: reached, newest: reached, count: 0 };
    const { kvs, count, revision } = await this.#context.kv.range(this.#range, {
      minModRevision: reached + 1n,
      sort: { by: 'mod', order: 'descend' },
      limit: 1,
      keysOnly: true,
      signal,
    });
    return { revision, newest: kvs[0]?.modRevision ?? reached, count };
  }
}
