import { type Occupant, OverlapIndex } from './overlap-index.js';

/**
 * Lets the calls of one client on one key take effect in the order in which they were made: a call waits
 * for the earlier ones that it is in conflict with. Calls that are under way together never are.
 */
export class CallOrder<T extends Occupant> {
  readonly #index = new OverlapIndex<T>();
  /** Each call that has begun and not ended, with those that wait for it, among others perhaps. */
  readonly #waiting = new Map<T, T[] | undefined>();

  /** How many calls have begun and not ended. */
  get size(): number {
    return this.#waiting.size;
  }

  get calls(): Iterable<T> {
    return this.#waiting.keys();
  }

  /** Begins a call. @returns whether it need not wait */
  begin(call: T): boolean {
    const earlier = this.#waiting.size === 0 ? undefined : this.#index.latestConflict(call);
    this.#waiting.set(call, undefined);
    this.#index.add(call);
    return earlier === undefined || !this.#waitFor(earlier, call);
  }

  /** Ends a call, whatever came of it. @returns the calls that need not wait any more */
  end(call: T): readonly T[] {
    const waiting = this.#waiting.get(call);
    if (!this.#waiting.delete(call)) return [];
    this.#index.delete(call);
    if (waiting === undefined) return [];
    return waiting.filter((each) => {
      if (!this.#waiting.has(each)) return false;
      // Another may still be in the way, if the one that ended was given up before its turn.
      const earlier = this.#index.latestConflict(each);
      return earlier === undefined || !this.#waitFor(earlier, each);
    });
  }

  #waitFor(earlier: T, call: T): boolean {
    const waiting = this.#waiting.get(earlier);
    if (waiting !== undefined) waiting.push(call);
    else this.#waiting.set(earlier, [call]);
    return true;
  }
}
