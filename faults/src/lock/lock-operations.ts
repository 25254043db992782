import type { Link } from '../check-chain.js';
import type { OperationOf } from '../operation.js';

/** What a contender for the lock does; tokens are fencing tokens. */
export type LockShapes = {
  acquire: { input: object; output: { readonly token: number } };
  /** It asks by its own clock whether it still holds the lock. */
  believe: { input: { readonly token: number }; output: { readonly holds: boolean } };
  /** It replaces what it has read by an entry of its own. */
  write: { input: Entry; output: object };
  release: { input: { readonly token: number }; output: object };
};

export type LockOperation = OperationOf<LockShapes>;

/** The value that stands under the lock. */
export interface Entry extends Link {
  readonly token: number;
}
