import type { OperationOf } from '../operation.js';
import type { Kind } from './kinds-names.js';

/** Who does it: a user does one thing after another. */
export interface OfKind {
  /** Whose waiters wait for each other. */
  readonly scope: string;
  readonly by: string;
  readonly kind: Kind;
}

/** Of one hold: by its key in the queue, which stays the same when a reader becomes a writer. */
export interface OfHold extends OfKind {
  readonly key: string;
  readonly token: number;
}

/** What a holder writes. */
export interface Use {
  readonly id: string;
  readonly kind: Kind;
  readonly key: string;
  readonly token: number;
}

interface Granted {
  readonly key: string;
  readonly token: number;
}

export type KindShapes = {
  acquire: { input: OfKind; output: Granted };
  /** Enters once more what it holds; `count`: how many entries are open then, as the lock says. */
  enter: { input: OfHold; output: Granted & { readonly count: number } };
  /** Leaves one entry of several. */
  leave: { input: OfHold; output: { readonly count: number } };
  /** A reader becomes a writer, or a writer a reader. */
  convert: { input: OfHold & { readonly to: Kind }; output: Granted };
  /** A write that is made only while the lock is held. */
  use: { input: OfHold & Use; output: object };
  release: { input: OfHold; output: object };
  /** It was told that the lock is lost; `deleted`: because the key is gone, not because the lease may be. */
  lost: { input: OfHold; output: { readonly deleted: boolean } };
  /** It gives up by a token that nobody has. Must fail. */
  'foreign release': { input: OfKind; output: object };
  /** It asks for a permit of a semaphore of another size. Must fail. */
  'other size': { input: OfKind; output: object };
};

export type KindOperation = OperationOf<KindShapes>;
