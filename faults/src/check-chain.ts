import type { Outcome } from './operation.js';
import type { Violation } from './violation.js';

/** A value that names the one that its writer had read, and has replaced. */
export interface Link {
  /** Unique. */
  readonly id: string;
  /** The id of the value that was read before; empty: there was none. */
  readonly read: string;
}

export interface Attempt {
  readonly id: string;
  readonly outcome: Outcome;
}

/**
 * No update is lost: each value in the log stands on the one before it. And what its writer was told
 * is true: acknowledged values are there once, failed ones are not.
 */
export function checkChain(
  invariant: string,
  log: readonly Link[],
  attempts: readonly Attempt[],
): Violation[] {
  const violations: Violation[] = [];
  const complain = (what: string) => violations.push({ invariant, what });
  const times = new Map<string, number>();
  let before = '';
  for (const { id, read } of log) {
    if (read !== before) complain(`${id} had read ${read || 'nothing'}, and replaced ${before || 'nothing'}`);
    times.set(id, (times.get(id) ?? 0) + 1);
    before = id;
  }
  for (const [id, count] of times) if (count > 1) complain(`${id} was written ${count} times`);
  for (const { id, outcome } of attempts) {
    if (outcome === 'ok' && !times.has(id)) complain(`${id} was acknowledged, and never written`);
    if (outcome === 'failed' && times.has(id)) complain(`${id} had failed, and was written`);
  }
  const known = new Set(attempts.map(({ id }) => id));
  for (const id of times.keys()) if (!known.has(id)) complain(`${id} was written by nobody`);
  return violations;
}
