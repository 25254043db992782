import type { Link } from '../check-chain.js';
import type { OperationOf } from '../operation.js';

/** Which lock it is about, and which contender does it: a contender does one thing after another. */
export interface OfLock {
  /** Of the group that contends for this lock and others. */
  readonly scope: string;
  readonly lock: string;
  readonly by: string;
}

/** Of one hold. */
export interface OfHold extends OfLock {
  readonly token: number;
}

/** What a write is refused by: the lock's own clock and then the compare of its token, or that compare alone. */
export type Guard = 'clock' | 'compare' | 'none';

/** What a contender for a lock does; tokens are fencing tokens. */
export type LockShapes = {
  acquire: { input: OfLock; output: { readonly token: number } };
  /** It asks by its own clock whether it still holds the lock. */
  believe: { input: OfHold; output: { readonly holds: boolean } };
  /** It asks by its own clock for how long it certainly holds the lock. */
  ask: { input: OfHold; output: { readonly leftMs: number } };
  /** It was told by the lock's signal that the lock is lost. */
  lost: { input: OfHold; output: object };
  /** It replaces what it has read by an entry of its own. */
  write: { input: OfHold & Entry & { readonly guard: Guard }; output: object };
  release: { input: OfHold; output: object };
  /** As an operator, it takes the lock away from whoever holds it by this token. */
  oust: { input: OfHold; output: object };
  /** The process stood still, whatever made it so, and went on now. */
  stall: { input: object; output: { readonly ms: number } };
  /** A read, of which there is always one under way, took long. */
  slow: { input: object; output: { readonly ms: number } };
};

export type LockOperation = OperationOf<LockShapes>;

/** The value that stands under the lock. */
export interface Entry extends Link {
  readonly token: number;
}

/** Operations about one lock. */
export function operationsOn(history: readonly LockOperation[], lock: string): LockOperation[] {
  return history.filter(({ input }) => 'lock' in input && input.lock === lock);
}

/** Every lock that the history is about. */
export function locksOf(history: readonly LockOperation[]): string[] {
  return [...new Set(history.flatMap(({ input }) => ('lock' in input ? [input.lock] : [])))];
}
