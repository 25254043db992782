import type { EtcdEvent } from '../etcd-event.js';
import type { FaultEntry } from '../run/fault-log.js';
import type { Violation } from '../violation.js';
import { deadlineAfter } from './intervals.js';
import type { LockOperation } from './lock-operations.js';
import { stallsOf, strikesOf, takings } from './times.js';

/** Of one lock. */
export interface LockEvidence {
  readonly history: readonly LockOperation[];
  readonly log: readonly EtcdEvent[];
  readonly faults: readonly FaultEntry[];
  /** Where the keys of the lock are. */
  readonly queuePrefix: string;
}

/** A deletion is told of within a second. */
export const TOLD_WITHIN = 1_000_000;
/** A loop with much to do, on a machine with much to do, is late by less; if by more, it was a stall, which is known. */
export const LATE = 1_000_000;

/**
 * L3: nobody who asks its own clock is told that it holds the lock when that has passed on: when
 * another had been granted a later token by then, or its key was known to be gone from etcd. Where the
 * clock cannot know of it, it is told in a second, as L4 has it: who was ousted, and who was answered
 * that its lease is renewed by an etcd whose leader stood still, and takes the lease away all the same.
 */
export function checkBelief({ history, log, faults, queuePrefix }: LockEvidence): Violation[] {
  const grants = history.flatMap(({ name, output, returnedAt }) =>
    name === 'acquire' && output !== undefined ? [{ token: output.token, at: returnedAt }] : [],
  );
  const gone = endsOfKeys(log, queuePrefix);
  const stalls = stallsOf(history, faults);
  const strikes = strikesOf(faults, history);
  const taken = takings(faults, history);
  const ousted = new Set(history.flatMap(({ name, input }) => (name === 'oust' ? [input.token] : [])));
  return history.flatMap((operation): Violation[] => {
    const { name, process, invokedAt } = operation;
    if (name !== 'believe' || operation.output?.holds !== true) return [];
    const { token } = operation.input;
    const goneAt = gone.get(token) ?? Number.POSITIVE_INFINITY;
    const until = deadlineAfter(goneAt, TOLD_WITHIN + LATE, [...stalls(process), ...strikes]);
    if (
      (ousted.has(token) || taken.some(({ from, to }) => from <= goneAt && goneAt <= to)) &&
      invokedAt <= until
    )
      return [];
    const who = `${process} believed in token ${token}`;
    const next = grants.find((grant) => grant.token > token && grant.at < invokedAt);
    return [
      ...(next ? [{ invariant: 'L3', what: `${who} when ${next.token} had been granted` }] : []),
      ...(goneAt < invokedAt ? [{ invariant: 'L3', what: `${who} when its key was gone` }] : []),
    ];
  });
}

/** When the key of each token was seen to be deleted. */
export function endsOfKeys(log: readonly EtcdEvent[], prefix: string): Map<number, number> {
  const tokens = new Map<string, number>();
  const ends = new Map<number, number>();
  for (const { type, key, createRevision, seenAt } of log) {
    if (!key.startsWith(prefix)) continue;
    const token = tokens.get(key);
    if (type === 'put') tokens.set(key, createRevision);
    else if (token !== undefined) ends.set(token, seenAt);
  }
  return ends;
}
