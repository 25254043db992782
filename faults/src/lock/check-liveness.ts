import type { FaultEntry } from '../run/fault-log.js';
import type { Violation } from '../violation.js';
import { type Interval, onlyIn, without } from './intervals.js';
import type { LockOperation } from './lock-operations.js';
import { deathsOf, endOf, stallsOf, strikesOf } from './times.js';

/** Of the cluster under which it runs; two of them may pass until there is a leader whom all know. */
const ELECTION_MS = 500;
const PROMISED_MS = 2_000;
/** What a machine with much to do may add. */
const LOAD_MS = 2_000;

/**
 * L5: while somebody waits, nobody holds the lock and nothing fails, no longer passes than TTL +
 * 2 × election + 2 s until the next one holds it. Who is dead or stands still neither waits nor holds.
 */
export function checkLiveness(
  history: readonly LockOperation[],
  faults: readonly FaultEntry[],
  ttlMs: number,
): Violation[] {
  const idleMs = longestIdleMs(history, faults);
  const limitMs = ttlMs + 2 * ELECTION_MS + PROMISED_MS + LOAD_MS;
  if (idleMs <= limitMs) return [];
  return [{ invariant: 'L5', what: `a free lock was waited for ${Math.round(idleMs)} ms` }];
}

/** The longest time in which a lock was waited for, held by nobody, and nothing failed. */
export function longestIdleMs(history: readonly LockOperation[], faults: readonly FaultEntry[]): number {
  const stalls = stallsOf(history, faults, LOAD_MS / 2);
  const deaths = deathsOf(faults);
  const lastly = endOf(history);
  const alive = (process: string, from: number, to: number): Interval[] => {
    const end = Math.min(to, deaths.get(process) ?? lastly, lastly);
    return from < end ? without({ from, to: end }, stalls(process)) : [];
  };
  const ends = endsOfHolds(history);
  const waits: Interval[] = [];
  const holds: Interval[] = [];
  /** When each contender asked next: an acquisition of unknown outcome was over by then. */
  const next = new Map<string, number>();
  for (const operation of history.toReversed()) {
    if (operation.name !== 'acquire') continue;
    const { process, input, output, invokedAt, returnedAt } = operation;
    waits.push(...alive(process, invokedAt, Math.min(returnedAt, next.get(input.by) ?? lastly)));
    next.set(input.by, invokedAt);
    if (output !== undefined) holds.push(...alive(process, returnedAt, ends.get(output.token) ?? lastly));
  }
  const idle = onlyIn(waits, [...holds, ...strikesOf(faults, history)]);
  return idle.reduce((longest, { from, to }) => Math.max(longest, (to - from) / 1_000), 0);
}

/** When the holder of each token gave it up or was told of its loss, whichever was first. */
export function endsOfHolds(history: readonly LockOperation[]): ReadonlyMap<number, number> {
  const ends = new Map<number, number>();
  for (const { name, input, invokedAt } of history) {
    if (name !== 'release' && name !== 'lost') continue;
    ends.set(input.token, Math.min(invokedAt, ends.get(input.token) ?? Number.POSITIVE_INFINITY));
  }
  return ends;
}
