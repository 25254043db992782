import type { Link } from '../check-chain.js';
import type { OperationOf } from '../operation.js';

/** What the key holds. Valid is what has `low` not above `high`. */
export interface Setting extends Link {
  readonly low: number;
  readonly high: number;
  /** Nothing is written after it. */
  readonly last: boolean;
}

export type ConfigShapes = {
  /** A writer's compare-and-set. */
  write: { input: Setting; output: { readonly version: number } };
  /** What a manager's `current` has become. */
  expose: { input: object; output: Setting };
  /** The manager has come to its end. */
  over: { input: object; output: Setting };
};

export type ConfigOperation = OperationOf<ConfigShapes>;

export function isValid({ low, high }: Setting): boolean {
  return low <= high;
}
