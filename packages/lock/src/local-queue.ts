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

/** Those of one name: the one whose turn it is, and behind it, in the order in which they came, the others. */
interface LocalLine<P extends Prepared> {
  turn: LocalTurn<P>;
  /** Absent while there was none: so it is for nearly every lock. */
  waiting: Set<Waiting<P>> | undefined;
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
      : { ahead: (line.waiting?.size ?? 0) + 1, holder: line.turn.holder() };
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
      if (stop.aborted) return reject(stop.reason);
      line.waiting ??= new Set();
      const { waiting } = line;
      const own: Waiting<P> = {
        prepared,
        onTurn: () => {
          stopListening();
          line.turn = new LocalTurn(this, name);
          resolve(line.turn);
        },
      };
      const onAbort = () => {
        const wasNext = first(waiting) === own;
        waiting.delete(own);
        if (wasNext) first(waiting)?.prepared.prepare();
        reject(stop.reason);
      };
      waiting.add(own);
      const stopListening = stop.onAbort(onAbort);
      if (waiting.size === 1) prepared.prepare();
    });
  }

  #open(name: string): Turn<P> {
    const turn = new LocalTurn<P>(this, name);
    this.#lines.set(name, { turn, waiting: undefined });
    return turn;
  }

  /** What the next one in line has got ready, for the one whose turn it is. */
  nextAfter(turn: LocalTurn<P>, name: string): P | undefined {
    const line = this.#lines.get(name);
    return line?.turn === turn ? first(line.waiting)?.prepared : undefined;
  }

  /** Ends a turn; nothing happens if it has ended before. */
  leave(turn: LocalTurn<P>, name: string): void {
    const line = this.#lines.get(name);
    if (line?.turn !== turn) return;
    const next = first(line.waiting);
    if (next === undefined) {
      this.#lines.delete(name);
      return;
    }
    line.waiting?.delete(next);
    next.onTurn();
    first(line.waiting)?.prepared.prepare();
  }
}

class LocalTurn<P extends Prepared> implements Turn<P> {
  holder: () => LockHolder | undefined = nobody;
  readonly #queue: LocalQueue<P>;
  readonly #name: string;

  constructor(queue: LocalQueue<P>, name: string) {
    this.#queue = queue;
    this.#name = name;
  }

  get next(): P | undefined {
    return this.#queue.nextAfter(this, this.#name);
  }

  leave(): void {
    this.#queue.leave(this, this.#name);
  }
}

function nobody(): undefined {
  return undefined;
}

function first<T>(set: ReadonlySet<T> | undefined): T | undefined {
  return set?.values().next().value;
}
