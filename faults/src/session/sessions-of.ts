import type { EtcdEvent } from '../etcd-event.js';
import type { Interval } from '../lock/intervals.js';
import type { FaultEntry } from '../run/fault-log.js';
import { BLOCKED_MS } from './block.js';
import { sessionKey } from './session-names.js';
import type { SessionOperation } from './session-operations.js';

/** What the checks judge by. */
export interface SessionEvidence {
  readonly run: string;
  readonly history: readonly SessionOperation[];
  readonly log: readonly EtcdEvent[];
  readonly faults: readonly FaultEntry[];
}

/** One session from its begin to its end; times in microseconds, Infinity for what never was. */
export interface SessionLife {
  readonly session: string;
  readonly process: string;
  readonly asks: { readonly at: number; readonly alive: boolean; readonly leftMs: number }[];
  lostAt: number;
  closedAt: number;
  /** When somebody else began to end it. */
  revokedAt: number;
  /** When its key was there, and when it was heard that it is gone. */
  writtenAt: number;
  goneAt: number;
}

const NEVER = Number.POSITIVE_INFINITY;

export function sessionsOf({ run, history, log }: SessionEvidence): SessionLife[] {
  const lives = new Map<string, SessionLife>();
  for (const { name, process, input, output, invokedAt } of history) {
    if (name === 'stall') continue;
    const { session } = input;
    const life = lives.get(session) ?? {
      ...{ session, process, asks: [] },
      ...{ lostAt: NEVER, closedAt: NEVER, revokedAt: NEVER, writtenAt: NEVER, goneAt: NEVER },
    };
    lives.set(session, life);
    if (name === 'ask' && output !== undefined) life.asks.push({ at: invokedAt, ...output });
    else if (name === 'lost') life.lostAt = invokedAt;
    else if (name === 'close') life.closedAt = invokedAt;
    else if (name === 'revoke') life.revokedAt = invokedAt;
  }
  const byKey = new Map([...lives.values()].map((life) => [sessionKey(run, life.session), life]));
  for (const { type, key, seenAt } of log) {
    const life = byKey.get(key);
    if (life === undefined) continue;
    if (type === 'put') life.writtenAt = seenAt;
    else life.goneAt = seenAt;
  }
  return [...lives.values()];
}

/** When a process stood still: because it was frozen, or as it has told itself. */
export function standstillsOf({ history, faults }: SessionEvidence, process: string): Interval[] {
  const own = history.flatMap(({ name, output, invokedAt, ...operation }): Interval[] =>
    name === 'stall' && output !== undefined && operation.process === process
      ? [{ from: invokedAt - output.ms * 1_000, to: invokedAt }]
      : [],
  );
  const frozen = faults.filter(({ kind, where }) => kind.startsWith('freeze') && where.worker === process);
  return [...own, ...frozen.map(({ beganAt, endedAt }) => ({ from: beganAt, to: endedAt }))];
}

/** When lines or members failed, or some process got no processor, as etcd may have as well: leaders change then. */
export function hardTimesOf(evidence: SessionEvidence): Interval[] {
  const { faults } = evidence;
  const ofWorkers = new Set(['freeze', 'freeze amid', 'kill']);
  return [
    ...faults
      .filter(({ kind }) => !ofWorkers.has(kind))
      .map(({ beganAt, endedAt }) => ({ from: beganAt, to: endedAt })),
    ...withoutProcessor(evidence),
  ];
}

/** When a leader may have stood still. */
export function stuckLeadersOf(evidence: SessionEvidence): Interval[] {
  const { faults } = evidence;
  const kinds = new Set(['disk stalled', 'disk slow', 'leader frozen']);
  return [
    ...faults
      .filter(({ kind }) => kinds.has(kind))
      .map(({ beganAt, endedAt }) => ({ from: beganAt, to: endedAt })),
    ...withoutProcessor(evidence),
  ];
}

/** When the machine had too much to do, by what processes tell who were neither frozen nor blocked. */
function withoutProcessor({ history, faults }: SessionEvidence): Interval[] {
  const frozen = faults.filter(({ kind }) => kind.startsWith('freeze'));
  return history.flatMap(({ name, process, output, invokedAt: to }) => {
    if (name !== 'stall' || output === undefined || output.ms >= BLOCKED_MS) return [];
    const from = to - output.ms * 1_000;
    const isFrozen = frozen.some(
      ({ where, beganAt, endedAt }) => where.worker === process && beganAt <= to && from <= endedAt,
    );
    return isFrozen ? [] : [{ from, to }];
  });
}
