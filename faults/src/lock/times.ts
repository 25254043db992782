import type { FaultEntry } from '../run/fault-log.js';
import { type Interval, without } from './intervals.js';
import type { LockOperation } from './lock-operations.js';

const SLOW_MICROS = 1_000_000;

/** When each process that was killed was. */
export function deathsOf(faults: readonly FaultEntry[]): ReadonlyMap<string, number> {
  return new Map(
    faults.flatMap(({ kind, where, beganAt }) =>
      kind === 'kill' && where.worker !== undefined ? [[where.worker, beganAt]] : [],
    ),
  );
}

/** When a process stood still: because it was frozen, or as it has told itself, of stalls that were as long as this. */
export function stallsOf(
  history: readonly LockOperation[],
  faults: readonly FaultEntry[],
  leastMs = 0,
): (process: string) => readonly Interval[] {
  const stalls = new Map<string, Interval[]>();
  const add = (process: string, stall: Interval) => {
    const own = stalls.get(process);
    if (own === undefined) stalls.set(process, [stall]);
    else own.push(stall);
  };
  for (const { name, process, output, invokedAt } of history) {
    if (name === 'stall' && output !== undefined && output.ms >= leastMs)
      add(process, { from: invokedAt - output.ms * 1_000, to: invokedAt });
  }
  for (const { kind, where, beganAt, endedAt } of faults) {
    const isFreeze = kind === 'freeze' || kind === 'freeze amid';
    if (isFreeze && where.worker !== undefined) add(where.worker, { from: beganAt, to: endedAt });
  }
  return (process) => stalls.get(process) ?? [];
}

/** Faults after which a leader wakes up late, and takes away the leases that were renewed meanwhile: etcd #15247. */
const STUCK_LEADER = new Set(['disk stalled', 'disk slow', 'leader frozen']);
/** So long after, it still does. */
const STUCK_MICROS = 2_000_000;

/** When etcd may take a key away though its lease was renewed, and said to be: after a leader stood still, or had no processor. */
export function takings(faults: readonly FaultEntry[], history: readonly LockOperation[]): Interval[] {
  return [
    ...faults
      .filter(({ kind }) => STUCK_LEADER.has(kind))
      .map(({ beganAt, endedAt }) => ({ from: beganAt, to: endedAt })),
    ...slowReads(faults, history),
  ].map(({ from, to }) => ({ from, to: to + STUCK_MICROS }));
}

/** The last that a history tells of. */
export function endOf(history: readonly LockOperation[]): number {
  return history.reduce(
    (last, { invokedAt, returnedAt }) => Math.max(last, Number.isFinite(returnedAt) ? returnedAt : invokedAt),
    0,
  );
}

/**
 * When lines or members failed, or etcd did not answer for some other reason, as on a machine with too
 * much to do, where leaders change by themselves: until then nobody can be sure to reach it.
 */
export function strikesOf(faults: readonly FaultEntry[], history: readonly LockOperation[]): Interval[] {
  return [
    ...faults
      .filter(({ kind, where }) => where.member !== undefined || kind === 'cut' || kind === 'lost answer')
      .map(({ beganAt, endedAt }) => ({ from: beganAt, to: endedAt })),
    ...slowReads(faults, history),
  ];
}

/** When etcd did not answer for long, or a process did not hear of it. */
function slowReads(faults: readonly FaultEntry[], history: readonly LockOperation[]): Interval[] {
  const freezes = stallsOf([], faults);
  return history
    .flatMap(({ name, process, output, invokedAt }) =>
      name === 'slow' && output !== undefined
        ? without({ from: invokedAt - output.ms * 1_000, to: invokedAt }, freezes(process))
        : [],
    )
    .filter(({ from, to }) => to - from >= SLOW_MICROS);
}
