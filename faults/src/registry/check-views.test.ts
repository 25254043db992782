import { describe, expect, it } from 'vitest';
import type { EtcdEvent } from '../etcd-event.js';
import type { FaultEntry } from '../run/fault-log.js';
import { checkViews } from './check-views.js';
import type { RegistryOperation } from './registry-operations.js';

const S = 1_000_000;
const beat = (revision: number) => `t${revision}`;

/** Seen as many seconds after the beginning as its revision says. */
function put(revision: number, id: string, health = 'healthy', leaving = false): EtcdEvent {
  const value = { id, health, address: 'h', port: 1, metadata: { registration: `p-${id}` }, leaving };
  return event(revision, id, JSON.stringify({ ...value, lastHeartbeat: beat(revision) }));
}
function event(revision: number, id: string, value: string): EtcdEvent {
  return { revision, type: 'put', key: `/s/${id}`, value, createRevision: 1, seenAt: revision * S };
}
const gone = (revision: number, id: string): EtcdEvent => ({ ...event(revision, id, ''), type: 'delete' });

const LOG = [
  put(1, 'a'),
  put(2, 'b'),
  put(3, 'a', 'unhealthy'),
  gone(4, 'b'),
  put(5, 'c'),
  gone(6, 'a'),
  gone(6, 'c'),
  put(7, 'd'),
];
const A1 = 'a p-a healthy t1';
const A3 = 'a p-a unhealthy t3';
const B = 'b p-b healthy t2';
const C = 'c p-c healthy t5';
const D = 'd p-d healthy t7';
const PLAIN = 'p1 plain all';
const HOLDING = 'p3 holding all';

function list(
  at: number,
  instances: readonly string[],
  { view = PLAIN, revision = 99 } = {},
): RegistryOperation {
  const process = view.slice(0, 2);
  const output = { instances, revision, source: 'live' };
  return {
    process,
    name: 'list',
    input: { view },
    output,
    outcome: 'ok',
    invokedAt: at * S,
    returnedAt: at * S,
  };
}
function lists(...shown: readonly (readonly string[])[]): RegistryOperation[] {
  return shown.map((instances, i) => list(i + 1, instances));
}
function over(
  instances: readonly string[],
  { view = PLAIN, revision = 7, error = '' } = {},
): RegistryOperation {
  const output = { instances, ...(error && { error }) };
  return {
    process: 'p1',
    name: 'over',
    input: { view, revision },
    output,
    outcome: 'ok',
    invokedAt: 9 * S,
    returnedAt: 9 * S,
  };
}
function change(id: string, now?: string, previous?: string): RegistryOperation {
  const output = { ...(now && { now }), ...(previous && { previous }) };
  const input = { view: 'p1 plain changes', id };
  return { process: 'p1', name: 'change', input, output, outcome: 'ok', invokedAt: 0, returnedAt: 0 };
}
function read(at: number, ...instances: readonly string[]): RegistryOperation {
  return {
    process: 'p1',
    name: 'read',
    input: {},
    output: { instances },
    outcome: 'ok',
    invokedAt: at * S,
    returnedAt: at * S,
  };
}
function stall(process: string): RegistryOperation {
  const output = { from: 3 * S, to: 15 * S };
  return { process, name: 'stall', input: {}, output, outcome: 'ok', invokedAt: 15 * S, returnedAt: 15 * S };
}
const found = (history: readonly RegistryOperation[], faults: readonly FaultEntry[] = [], log = LOG) =>
  checkViews({ history, log, faults }, '/s/').violations;

describe('the check of lists', () => {
  it('finds nothing in lists that follow the service, also if some are left out', () => {
    expect(found([...lists([A1], [A1, B], [A3, B], [A3], [A3, C], [], [D]), over([D])])).toEqual([]);
    expect(found([...lists([], [A3, B], [D]), over([D])])).toEqual([]);
    expect(found(lists([A1]))).toEqual([]); // killed
    expect(
      found([list(1, [A1], { view: 'p1 plain healthy' }), list(2, [B], { view: 'p1 plain healthy' })]),
    ).toEqual([]);
  });

  it.each<[string, readonly RegistryOperation[]]>([
    ['an empty list that is not so', lists([A1], [A3, B], [], [A3, C])],
    ['an older list after a newer one', lists([A1, B], [A3, B], [A1, B], [A3])],
    ['an older value of one', lists([A3, B], [A1])],
    ['half of what happened at once', lists([A3, C], [A3])],
    ['a list that never was', lists([A1, B], [B])],
    ['a list from the future', [list(1, [A3, C], { revision: 4 })]],
    ['somebody who is leaving', [...lists([A1]), list(2, ['e p-e healthy t8'])]],
    ['an end before the last state', [...lists([A3, C]), over([A3, C])]],
    ['an end by itself', [over([D], { error: 'ConnectionError' })]],
    ['no end', [over([D], { revision: 0 })]],
  ])('finds %s', (_what, history) => {
    expect(found(history, [], [...LOG, put(8, 'e', 'healthy', true)])).toHaveLength(1);
  });

  it('lets those be held that vanish when nobody healthy is left, and no others', () => {
    const held = (...instances: readonly string[]) => [
      list(1, [A3, C], { view: HOLDING }),
      list(6.5, instances, { view: HOLDING }),
    ];
    expect(found(held(C))).toEqual([]);
    expect(found(held(C, A3))).toEqual([]);
    expect(found(held(B, C))).toEqual([]); // B went without a word, too
    expect(found(held(D, C))).toHaveLength(1); // with D there is somebody
    expect(found(lists([A3, C], [C]))).toHaveLength(1);
  });

  it('finds a list that stays for long when it is so no more, while nothing fails', () => {
    const late = [list(1, [A1, B]), list(40, [D])];
    expect(found(late)).toHaveLength(1);
    const cut = { kind: 'black hole', where: { member: 'm' }, beganAt: 2 * S, endedAt: 20 * S };
    expect(found(late, [cut])).toEqual([]);
    const frozen = (worker: string) => ({ ...cut, kind: 'freeze', where: { worker } });
    expect(found(late, [frozen('p1')])).toEqual([]);
    expect(found(late, [frozen('p2')])).toHaveLength(1);
    expect(found([...late, stall('p1')])).toEqual([]);
    expect(found([...late, stall('p2')])).toHaveLength(1);
  });
});

describe('the check of changes', () => {
  it('finds nothing in those that follow from each other, also if some are left out', () => {
    expect(found([change('a', A1), change('b', B), change('a', A3, A1), change('a', undefined, A3)])).toEqual(
      [],
    );
    expect(found([change('a', A3)])).toEqual([]);
  });

  it.each<[string, readonly RegistryOperation[]]>([
    ['an older value', [change('a', A3), change('a', A1, A3)]],
    ['a change twice', [change('a', A1), change('a', A1, A1)]],
    ['another one before', [change('a', A1), change('a', A3)]],
    ['what never was', [change('a', 'a p-a healthy t2')]],
  ])('finds %s', (_what, history) => {
    expect(found(history)).toHaveLength(1);
  });
});

describe('the check of linearizable reads', () => {
  it('finds nothing in what was so when it was asked, or later', () => {
    expect(found([read(1.5, A1), read(3.5, A3, B), read(3.6, A3), read(6.5)])).toEqual([]);
  });

  it.each<[string, readonly RegistryOperation[]]>([
    ['what was so no more', [read(3.5, A1, B)]],
    ['an older state after a newer one', [read(0.5, A3, B), read(0.6, A1)]],
    ['half of a state', [read(3.5, A3, C, D)]],
  ])('finds %s', (_what, history) => {
    expect(found(history)).toHaveLength(1);
  });
});
