import type { Violation } from '../violation.js';
import { endsOfKeys, LATE, type LockEvidence, TOLD_WITHIN } from './check-belief.js';
import { endsOfHolds } from './check-liveness.js';
import { deadlineAfter, type Interval } from './intervals.js';
import { deathsOf, endOf, stallsOf, strikesOf } from './times.js';

/**
 * L4: a holder is told of its loss by the deadline of its own clock, and at the latest one second after
 * its key is gone. A process that stands still is judged from when it goes on; and who cannot reach
 * etcd hears of no deletion, only of the deadline.
 */
export function checkSignal(evidence: LockEvidence): Violation[] {
  return [...lateForDeadline(evidence), ...lateForDeletion(evidence)].map((what) => ({
    invariant: 'L4',
    what,
  }));
}

function lateForDeadline({ history, faults }: LockEvidence): string[] {
  const stalls = stallsOf(history, faults);
  const deadlines = new Map<number, number>();
  for (const { name, input, output, invokedAt } of history) {
    if (name !== 'ask' || output === undefined) continue;
    const deadline = invokedAt + output.leftMs * 1_000;
    deadlines.set(input.token, Math.max(deadline, deadlines.get(input.token) ?? 0));
  }
  return history.flatMap(({ name, process, input, invokedAt }) => {
    const deadline = name === 'lost' ? deadlines.get(input.token) : undefined;
    if (name !== 'lost' || deadline === undefined) return [];
    const late = invokedAt - deadlineAfter(deadline, LATE, stalls(process));
    return late > 0 ? [`${process} was told of the loss of ${input.token} ${seconds(late + LATE)} late`] : [];
  });
}

function lateForDeletion({ history, log, faults, queuePrefix }: LockEvidence): string[] {
  const gone = endsOfKeys(log, queuePrefix);
  const stalls = stallsOf(history, faults);
  const deaths = deathsOf(faults);
  const ends = endsOfHolds(history);
  const strikes = strikesOf(faults, history);
  const lastly = endOf(history);
  return history.flatMap(({ name, process, output }) => {
    const token = name === 'acquire' ? output?.token : undefined;
    const goneAt = token === undefined ? undefined : gone.get(token);
    if (token === undefined || goneAt === undefined) return [];
    const standsStill: Interval[] = [...stalls(process), ...strikes];
    const due = deadlineAfter(goneAt, TOLD_WITHIN + LATE, standsStill);
    const end = Math.min(ends.get(token) ?? lastly, deaths.get(process) ?? Number.POSITIVE_INFINITY);
    return end > due
      ? [`${process} was not told within ${seconds(end - goneAt)} that its key of ${token} is gone`]
      : [];
  });
}

function seconds(micros: number): string {
  return `${(micros / 1e6).toFixed(1)} s`;
}
