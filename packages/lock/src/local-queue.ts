import type { LockHolder } from './holder.js';

/** The right to contend for a name in etcd on behalf of this client. */
export interface Turn {
  /** Passes it on to the next one. Idempotent. */
  leave(): void;
  /** Who holds the lock, as far as the one whose turn it is knows: for the errors of those behind it. */
  holder: () => LockHolder | undefined;
}

interface LocalLine {
  turn: Turn;
  /** In the order in which they came. */
  readonly waiting: Set<() => void>;
}

/**
 * The line before the queue: of all callers of one client, one at a time stands in etcd's queue of a
 * name. A thousand local waiters cost etcd as much as one.
 */
export class LocalQueue {
  readonly #lines = new Map<string, LocalLine>();

  /** How many are before one that came now, and who holds the lock if that is known. */
  view(name: string): { readonly ahead: number; readonly holder: LockHolder | undefined } {
    const line = this.#lines.get(name);
    return line === undefined
      ? { ahead: 0, holder: undefined }
      : { ahead: line.waiting.size + 1, holder: line.turn.holder() };
  }

  /** Takes the turn if nobody has it. */
  tryEnter(name: string): Turn | undefined {
    return this.#lines.has(name) ? undefined : this.#open(name);
  }

  /** Waits for its turn; rejects with the signal's reason. */
  async enter(name: string, signal: AbortSignal): Promise<Turn> {
    const line = this.#lines.get(name);
    if (line === undefined) return this.#open(name);
    return new Promise((resolve, reject) => {
      const onTurn = () => {
        signal.removeEventListener('abort', onAbort);
        line.turn = this.#newTurn(name);
        resolve(line.turn);
      };
      const onAbort = () => {
        line.waiting.delete(onTurn);
        reject(signal.reason);
      };
      if (signal.aborted) return reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      line.waiting.add(onTurn);
    });
  }

  #open(name: string): Turn {
    const turn = this.#newTurn(name);
    this.#lines.set(name, { turn, waiting: new Set() });
    return turn;
  }

  #newTurn(name: string): Turn {
    let left = false;
    return {
      holder: () => undefined,
      leave: () => {
        if (left) return;
        left = true;
        this.#passOn(name);
      },
    };
  }

  #passOn(name: string): void {
    const waiting = this.#lines.get(name)?.waiting;
    const next = waiting?.values().next().value;
    if (next === undefined) {
      this.#lines.delete(name);
    } else {
      waiting?.delete(next);
      next();
    }
  }
}
