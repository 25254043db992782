import { deadlineAfter } from '../lock/intervals.js';
import type { Violation } from '../violation.js';
import { SESSION_TTL_MS } from './session-names.js';
import { hardTimesOf, type SessionEvidence, sessionsOf } from './sessions-of.js';

/** A new leader gives each lease its whole time again, and looks only now and then what has run out. */
export const GONE_WITHIN_MS = SESSION_TTL_MS + 5_000;

/** T3: the key of a session that is lost, closed or left is gone soon, once nothing fails any more; in the end none is there. */
export function checkKeys(evidence: SessionEvidence): Violation[] {
  const hardTimes = hardTimesOf(evidence);
  const lastly = Math.max(0, ...evidence.log.map(({ seenAt }) => seenAt));
  return sessionsOf(evidence).flatMap(({ session, lostAt, closedAt, writtenAt, goneAt }): Violation[] => {
    if (!Number.isFinite(writtenAt)) return [];
    if (!Number.isFinite(goneAt)) return [{ invariant: 'T3', what: `the key of ${session} is still there` }];
    const overAt = Math.min(lostAt, closedAt);
    if (!Number.isFinite(overAt)) return [];
    // A write of unknown outcome may come late; then it counts from there.
    const due = deadlineAfter(Math.max(overAt, writtenAt), GONE_WITHIN_MS * 1_000, hardTimes);
    if (Math.min(goneAt, lastly) <= due) return [];
    const late = ((goneAt - overAt) / 1e6).toFixed(1);
    return [{ invariant: 'T3', what: `the key of ${session} was there for ${late} s after its end` }];
  });
}
