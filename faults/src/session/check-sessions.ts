import { deadlineAfter } from '../lock/intervals.js';
import type { Violation } from '../violation.js';
import { SESSION_TTL_MS } from './session-names.js';
import {
  type SessionEvidence,
  type SessionLife,
  sessionsOf,
  standstillsOf,
  stuckLeadersOf,
} from './sessions-of.js';

/** A loop with much to do, on a machine with much to do, is late by less; if by more, it was a stall, which is known. */
const LATE_MS = 1_000;
/** How long after it goes on a leader may still act on what it knew before. */
const WAKING_MS = 2_000;

/**
 * T1: no session believes for longer than its TTL, nor when its key was known to have run out; one that is lost
 * stays so. Of one that somebody else has ended it can only learn by its next keepalive.
 */
export function checkBelief(evidence: SessionEvidence): Violation[] {
  return sessionsOf(evidence).flatMap((life) =>
    [...beliefOf(life, evidence)].map((what) => ({ invariant: 'T1', what })),
  );
}

function* beliefOf(life: SessionLife, evidence: SessionEvidence): Generator<string> {
  const { session, asks, lostAt } = life;
  const tooMuch = asks.find(({ leftMs }) => leftMs > SESSION_TTL_MS);
  if (tooMuch !== undefined)
    yield `${session} has ${Math.round(tooMuch.leftMs)} ms of ${SESSION_TTL_MS} left`;
  if (asks.some(({ at, alive }) => alive && at > lostAt)) yield `${session} is alive after its loss`;
  const outlived = outlivedBy(life);
  if (outlived > 0 && !mayBeRenewedByEtcd(evidence, life))
    yield `${session} believed for ${seconds(outlived)} that its key was there`;
}

/** For how long it believed in a key that had run out. */
function outlivedBy({ asks, goneAt, revokedAt }: SessionLife): number {
  const last = asks.findLast(({ alive }) => alive);
  return last === undefined || revokedAt <= last.at ? 0 : last.at - goneAt;
}

/**
 * A leader that stood still, on a disk or without a processor, may take away leases that were renewed meanwhile, and
 * renew those that another has let run out (etcd issue 15247): then it is etcd that says so, for a TTL at most after
 * it has woken up. Whoever needs more than that watches the key, as locks do.
 */
function mayBeRenewedByEtcd(evidence: SessionEvidence, { asks, goneAt }: SessionLife): boolean {
  const last = asks.findLast(({ alive }) => alive)?.at ?? 0;
  return stuckLeadersOf(evidence).some(
    ({ from, to }) =>
      from <= goneAt &&
      goneAt <= to + WAKING_MS * 1_000 &&
      last <= Math.max(goneAt, to) + SESSION_TTL_MS * 1_000,
  );
}

/** How often a session believed what etcd itself had told it wrongly. */
export function renewedByEtcd(evidence: SessionEvidence): number {
  return sessionsOf(evidence).filter((life) => outlivedBy(life) > 0 && mayBeRenewedByEtcd(evidence, life))
    .length;
}

/** T2: who loses a session is told by its signal: by the deadline that it was told last, whatever has ended it. */
export function checkLosses(evidence: SessionEvidence): Violation[] {
  return sessionsOf(evidence).flatMap((life): Violation[] => {
    const { session, process, asks, lostAt, closedAt, goneAt } = life;
    const last = asks.findLast(({ alive }) => alive);
    const standstills = standstillsOf(evidence, process);
    const complain = (what: string): Violation[] => [{ invariant: 'T2', what: `${session} ${what}` }];
    // A keepalive after the last question has moved the deadline on, by no more than its TTL after the key was gone.
    const toldAt = Math.min(lostAt, closedAt, deathOf(evidence, process));
    const overdue = deadlineAfter(goneAt + SESSION_TTL_MS * 1_000, LATE_MS * 1_000, standstills);
    if (Number.isFinite(toldAt) && toldAt > overdue && !mayBeRenewedByEtcd(evidence, life))
      return complain(`was not told within ${seconds(toldAt - goneAt)} that it is lost`);
    const dead = asks.find(({ at, alive }) => !alive && at > (last?.at ?? 0));
    if (dead === undefined || lostAt <= deadlineAfter(dead.at, LATE_MS * 1_000, standstills)) return [];
    const isOver = Math.min(closedAt, deathOf(evidence, process)) <= dead.at + LATE_MS * 1_000;
    return isOver ? [] : complain('is no longer alive, and was not told');
  });
}

function deathOf({ faults }: SessionEvidence, process: string): number {
  const kill = faults.find(({ kind, where }) => kind.startsWith('kill') && where.worker === process);
  return kill?.beganAt ?? Number.POSITIVE_INFINITY;
}

/** How long after the end of its key a session was told at most, in milliseconds. */
export function longestToTellMs(evidence: SessionEvidence): number {
  const delays = sessionsOf(evidence).map(({ lostAt, goneAt }) => lostAt - goneAt);
  return Math.max(0, ...delays.filter(Number.isFinite)) / 1_000;
}

function seconds(micros: number): string {
  return `${(micros / 1e6).toFixed(1)} s`;
}
