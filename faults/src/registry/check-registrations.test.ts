import { describe, expect, it } from 'vitest';
import type { EtcdEvent } from '../etcd-event.js';
import type { Outcome } from '../operation.js';
import type { FaultEntry } from '../run/fault-log.js';
import { checkRegistrations } from './check-registrations.js';
import type { RegistryOperation } from './registry-operations.js';

const KEYS = { instancePrefix: '/s/', gonePrefix: '/gone/', settledPrefix: '/settled/' };
const S = 1_000_000;

/** Seen as many seconds after the beginning as its revision says. */
function put(revision: number, registration: string, { key = 'a', leaving = false } = {}): EtcdEvent {
  const value = { id: 'a', health: 'healthy', address: 'h', port: 1, metadata: { registration }, leaving };
  return written(revision, `/s/${key}`, JSON.stringify({ ...value, lastHeartbeat: `t${revision}` }));
}
function written(revision: number, key: string, value = ''): EtcdEvent {
  return { revision, type: 'put', key, value, createRevision: revision, seenAt: revision * S };
}
function gone(revision: number, id = 'a'): EtcdEvent {
  return { ...written(revision, `/s/${id}`), type: 'delete', createRevision: 0 };
}
function register(registration: string, at: number, outcome: Outcome = 'ok', id = 'a'): RegistryOperation {
  const process = registration.slice(0, 1);
  const times = {
    invokedAt: (at - 0.5) * S,
    returnedAt: outcome === 'unknown' ? Number.POSITIVE_INFINITY : (at + 0.5) * S,
  };
  return { process, name: 'register', input: { registration, id }, outcome, ...times };
}
function leave(registration: string, at: number): RegistryOperation {
  const input = { registration, how: 'deregister' } as const;
  return {
    process: registration.slice(0, 1),
    name: 'leave',
    input,
    outcome: 'ok',
    invokedAt: at * S,
    returnedAt: at * S,
  };
}
function remove(id: string, at: number): RegistryOperation {
  return {
    process: 'z',
    name: 'remove',
    input: { id },
    outcome: 'ok',
    invokedAt: at * S,
    returnedAt: at * S,
  };
}
function fault(kind: string, where: FaultEntry['where'], from: number, to: number): FaultEntry {
  return { kind, where, beganAt: from * S, endedAt: to * S };
}

const bye = (revision: number, registration: string) => put(revision, registration, { leaving: true });
const found = (
  history: readonly RegistryOperation[],
  log: readonly EtcdEvent[],
  faults: readonly FaultEntry[] = [],
) => checkRegistrations({ history, log, faults }, KEYS).violations.map(({ what }) => what);

describe('the check of registrations', () => {
  it('finds nothing in what comes, is lost, comes back and goes', () => {
    const history = [register('p1', 1), leave('p1', 9.5)];
    const log = [put(1, 'p1'), gone(3), put(5, 'p1'), written(9, '/settled/0', 'p'), bye(10, 'p1'), gone(11)];
    const report = checkRegistrations({ history, log: [...log, written(12, '/gone/p1')], faults: [] }, KEYS);
    expect(report).toMatchObject({ violations: [], away: [2 * S] });
  });

  it('finds nothing where one takes the place of another, and where an unknown one comes late', () => {
    const history = [register('p1', 1), register('q1', 2), register('q2', 3, 'unknown')];
    const log = [put(1, 'p1'), put(2, 'q1'), put(30, 'q2'), bye(31, 'q2'), gone(32)];
    expect(found(history, log)).toEqual([]);
  });

  it('finds nothing where an operator takes it out, or its owner was killed', () => {
    expect(found([register('p1', 1), remove('a', 2)], [put(1, 'p1'), bye(3, 'p1'), gone(4)])).toEqual([]);
    const killed = [fault('kill', { worker: 'p' }, 2, 2)];
    expect(found([register('p1', 1), remove('b', 90)], [put(1, 'p1'), gone(4)], killed)).toEqual([]);
  });

  it('lets one be taken out without a goodbye when there is no space for it, and by nobody otherwise', () => {
    const history = [register('p1', 1), remove('a', 2)];
    const log = [put(1, 'p1'), gone(3), written(5, '/settled/0', 'p')];
    const full = fault('no space', { member: 'm' }, 2, 4);
    expect(found(history, log, [full])).toEqual([]);
    expect(found(history, log)).toHaveLength(1);
    expect(found([register('p1', 1), remove('b', 2)], log, [full])).toHaveLength(1);
  });

  it('counts neither the time of a fault nor that of a frozen owner', () => {
    const history = [register('p1', 1), leave('p1', 40)];
    const log = [put(1, 'p1'), gone(3), put(33, 'p1'), bye(41, 'p1'), gone(42)];
    expect(found(history, log)).toHaveLength(1);
    const frozen = (worker: string) => fault('freeze', { worker, point: 'x' }, 2, 12);
    expect(found(history, log, [frozen('p'), fault('cut', { member: 'm' }, 11, 30)])).toEqual([]);
    expect(found(history, log, [frozen('q'), fault('cut', { member: 'm' }, 28, 30)])).toHaveLength(1);
    expect(found(history, log, [fault('kill', { worker: 'q' }, 2, 30)])).toHaveLength(1);
  });

  it.each<[string, readonly RegistryOperation[], readonly EtcdEvent[]]>([
    ['one that never comes back', [register('p1', 1), remove('b', 60)], [put(1, 'p1'), gone(3)]],
    [
      'one that is back too late',
      [register('p1', 1), leave('p1', 40)],
      [put(1, 'p1'), gone(3), put(39, 'p1'), bye(41, 'p1'), gone(42)],
    ],
    ['one that was acknowledged and never there', [register('p1', 1)], []],
    ['one of nobody', [], [put(1, 'p1'), gone(2)]],
    ['one under the key of another', [register('p1', 1)], [put(1, 'p1', { key: 'b' }), gone(2, 'b')]],
    [
      'two keys of one',
      [register('p1', 1)],
      [put(1, 'p1'), put(2, 'p1', { key: 'b' }), gone(3), gone(3, 'b')],
    ],
    ['one that stays', [register('p1', 1), leave('p1', 2)], [put(1, 'p1')]],
    [
      'one that comes after it has gone',
      [register('p1', 1), leave('p1', 2)],
      [put(1, 'p1'), bye(3, 'p1'), gone(4), put(5, 'p1'), gone(6)],
    ],
    [
      'one that comes after it was told to be gone',
      [register('p1', 1), leave('p1', 2)],
      [put(1, 'p1'), gone(4), written(5, '/gone/p1'), put(6, 'p1'), gone(7)],
    ],
    [
      'one that is there when it was told to be gone',
      [register('p1', 1), leave('p1', 2)],
      [put(1, 'p1'), written(5, '/gone/p1'), gone(7)],
    ],
    [
      'one that takes back its goodbye',
      [register('p1', 1), leave('p1', 2)],
      [put(1, 'p1'), bye(3, 'p1'), put(4, 'p1'), gone(5)],
    ],
    [
      'a goodbye that nobody asked for',
      [register('p1', 1), leave('p1', 9)],
      [put(1, 'p1'), bye(3, 'p1'), gone(5)],
    ],
    [
      'one that fights its successor',
      [register('p1', 1), register('q1', 3)],
      [put(1, 'p1'), put(3, 'q1'), put(4, 'p1'), gone(5)],
    ],
    [
      'one that is not there in the end',
      [register('p1', 1), leave('p1', 6)],
      [put(1, 'p1'), gone(4), written(5, '/settled/0', 'p')],
    ],
    [
      'one that is there in the end, and should not be',
      [register('p1', 1), leave('p1', 2)],
      [put(1, 'p1'), written(5, '/settled/0', 'p'), gone(7)],
    ],
    [
      'what was left of one that had failed',
      [register('p1', 1, 'unknown')],
      [put(1, 'p1'), written(5, '/settled/0', 'p'), gone(7)],
    ],
  ])('finds %s', (_what, history, log) => {
    expect(found(history, log)).not.toEqual([]);
  });
});
