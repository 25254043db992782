import type { Compare, Op } from '@coord/client';
import type { Content } from './content.js';
import type { KeyState } from './key-state.js';
import type { ConfigOperation } from './meta.js';

/** What a write wants to make of a key. */
export interface Change {
  readonly operation: ConfigOperation;
  /** Absent: delete. */
  readonly content: Content | undefined;
  readonly author?: string | undefined;
  readonly comment?: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly from?: number | undefined;
  /** Done in the same transaction, and a condition of all of it. */
  readonly alongside?: Alongside | undefined;
}

export interface Alongside {
  readonly compare: readonly Compare[];
  readonly success: readonly Op[];
}

/**
 * Decides on a write by the present state; called again after each lost race.
 * Undefined: nothing to do. Throws: the state does not allow the write.
 */
export type Decide = (state: KeyState) => Change | undefined;
