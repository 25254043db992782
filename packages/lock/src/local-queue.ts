import type { Cancellation } from '@coord/client/internal';
import type { LockHolder } from './holder.js';

/** What a caller gets ready while it waits in line. */
export interface Prepared {
  /** Called once, when it is the next. */
  prepare(): void;
}

/** The right to contend for a name in etcd on behalf of this client. */
export interface Turn<P extends Prepared> {
  /** Passes it on to the next one. Idempotent. */
  leave(): void;
  /** What the next one in line has got ready, if there is one. */
  readonly next: P | undefined;
  /** Who holds the lock, as far as the one whose turn it is knows: for the errors of those behind it. */
  holder: () => LockHolder | undefined;
}

interface Waiting<P> {
  readonly prepared: P;
  onTurn(): void;
}

interface LocalLine<P extends Prepared> {
  turn: Turn<P>;
  /** In the order in which they came. */
  readonly waiting: Set<Waiting<P>>;
}

/**
 * The line before the queue: of all callers of one client, one at a time stands in etcd's queue of a
 * name. A thousand local waiters cost etcd as much as one.
 */
export class LocalQueue<P extends Prepared> {
  readonly #lines = new Map<string, LocalLine<P>>();

  /** How many are before one that came now, and who holds the lock if that is known. */
  view(name: string): { readonly ahead: number; readonly holder: LockHolder | undefined } {
    const line = this.#lines.get(name);
    return line === undefined
      ? { ahead: 0, holder: undefined }
      : { ahead: line.waiting.size + 1, holder: line.turn.holder() };
  }

  /** Takes the turn if nobody has it. */
  tryEnter(name: string): Turn<P> | undefined {
    return this.#lines.has(name) ? undefined : this.#open(name);
  }

  /** Waits for its turn; rejects with the reason for which it is stopped. */
  async enter(name: string, stop: Cancellation, prepared: P): Promise<Turn<P>> {
    const line = this.#lines.get(name);
    if (line === undefined) return this.#open(name);
    return new Promise((resolve, reject) => {
      const waiting: Waiting<P> = {
        prepared,
        onTurn: () => {
          stopListening();
          line.turn = this.#newTurn(name, line);
          resolve(line.turn);
        },
      };
      const onAbort = () => {
        const wasNext = first(line.waiting) === waiting;
        line.waiting.delete(waiting);
        if (wasNext) first(line.waiting)?.prepared.prepare();
        reject(stop.reason);
      };
      if (stop.aborted) return reject(stop.reason);
      line.waiting.add(waiting);
      const stopListening = stop.onAbort(onAbort);
      if (line.waiting.size === 1) prepared.prepare();
    });
  }

  #open(name: string): Turn<P> {
    const waiting = new Set<Waiting<P>>();
    const turn = this.#newTurn(name, { waiting });
    this.#lines.set(name, { turn, waiting });
    return turn;
  }

  #newTurn(name: string, { waiting }: Pick<LocalLine<P>, 'waiting'>): Turn<P> {
    let left = false;
    return {
      holder: () => undefined,
      get next() {
        return left ? undefined : first(waiting)?.prepared;
      },
      leave: () => {
        if (left) return;
        left = true;
        this.#passOn(name, waiting);
      },
    };
  }

  #passOn(name: string, waiting: Set<Waiting<P>>): void {
    const next = first(waiting);
    if (next === undefined) {
      this.#lines.delete(name);
      return;
    }
    waiting.delete(next);
    next.onTurn();
    first(waiting)?.prepared.prepare();
  }
}

function first<T>(set: ReadonlySet<T>): T | undefined {
  return set.values().next().value;
}
