import { describe, expect, it } from 'vitest';
import type { EtcdEvent } from '../etcd-event.js';
import type { Outcome } from '../operation.js';
import { checkEntries } from './check-entries.js';
import { checkRemovals } from './check-removals.js';
import { checkUses } from './check-uses.js';
import { type Kind, kindKeys } from './kinds-names.js';
import type { KindOperation, Use } from './kinds-operations.js';

const KEYS = kindKeys('r');
const M = (id: string) => `${KEYS.mutex}a1-${id}`;
const Q = (id: string) => `${KEYS.requests}a1-${id}`;
const W = (id: string) => `${KEYS.writers}a1-${id}`;
const P = (id: string, weight: number) => `${KEYS.permits}a1-${id}.${weight}`;

function put(revision: number, ...keys: string[]): EtcdEvent[] {
  const at = { revision, createRevision: revision, seenAt: revision };
  return keys.map((key) => ({ ...at, type: 'put', key, value: '' }));
}
function gone(revision: number, ...keys: string[]): EtcdEvent[] {
  const at = { revision, createRevision: 0, seenAt: revision };
  return keys.map((key) => ({ ...at, type: 'delete', key, value: '' }));
}
function use(revision: number, kind: Kind, key: string, token: number): EtcdEvent[] {
  const value: Use = { id: `u${revision}`, kind, key, token };
  const at = { revision, createRevision: 1, seenAt: revision };
  return [{ ...at, type: 'put', key: KEYS.data, value: JSON.stringify(value) }];
}
function used(id: string, outcome: Outcome): KindOperation {
  const input = { ...OF, id, key: M('1'), token: 2 };
  return { process: 'p', name: 'use', input, outcome, invokedAt: 1, returnedAt: 2 };
}
const OF = { scope: 'mutex', by: 'p/0', kind: 'mutex' } as const;
const HOLD = { ...OF, key: M('1'), token: 2 };

describe('the check of what holders write', () => {
  const check = (log: EtcdEvent[][], history: KindOperation[] = []) =>
    checkUses(history, log.flat(), KEYS).map(({ invariant }) => invariant);

  it.each<[string, EtcdEvent[][]]>([
    [
      'a mutex at the head',
      [put(2, M('1')), put(3, M('2')), use(4, 'mutex', M('1'), 2), gone(5, M('1'), M('2'))],
    ],
    [
      'readers together, before a writer',
      [
        ...[put(2, Q('1')), put(3, Q('2')), put(4, Q('3'), W('3'))],
        ...[use(5, 'read', Q('2'), 3), use(6, 'read', Q('1'), 2), gone(7, Q('1'), Q('2'))],
        ...[use(8, 'write', Q('3'), 4), gone(9, Q('3'), W('3'))],
      ],
    ],
    [
      'a reader that has become a writer',
      [
        put(2, Q('1')),
        put(3, W('1')),
        put(4, Q('2')),
        use(5, 'write', Q('1'), 3),
        gone(6, Q('1'), W('1'), Q('2')),
      ],
    ],
    [
      'a writer that has become a reader',
      [put(2, Q('1'), W('1')), gone(3, W('1')), use(4, 'read', Q('1'), 2), gone(6, Q('1'))],
    ],
    [
      'permits up to their number',
      [
        ...[put(2, P('1', 2)), put(3, P('2', 1)), put(4, P('3', 1))],
        ...[use(5, 'permit', P('1', 2), 2), use(6, 'permit', P('2', 1), 3)],
        ...[gone(7, P('1', 2)), use(8, 'permit', P('3', 1), 4), gone(9, P('2', 1), P('3', 1))],
      ],
    ],
    [
      'kinds that have nothing to do with each other',
      [
        ...[put(2, P('1', 3)), put(3, Q('1'), W('1')), put(4, M('1'))],
        ...[use(5, 'mutex', M('1'), 4), use(6, 'write', Q('1'), 3), use(7, 'permit', P('1', 3), 2)],
        gone(8, P('1', 3), Q('1'), W('1'), M('1')),
      ],
    ],
  ])('finds nothing about %s', (_what, log) => {
    expect(check(log)).toEqual([]);
  });

  it.each<[string, EtcdEvent[][]]>([
    [
      'a mutex that waits',
      [put(2, M('1')), put(3, M('2')), use(4, 'mutex', M('2'), 3), gone(5, M('1'), M('2'))],
    ],
    ['a mutex with the token of another', [put(2, M('1')), use(4, 'mutex', M('1'), 1), gone(5, M('1'))]],
    ['a mutex that is gone', [put(2, M('1')), gone(3, M('1')), use(4, 'mutex', M('1'), 2)]],
    [
      'a reader behind a writer',
      [put(2, Q('1'), W('1')), put(3, Q('2')), use(4, 'read', Q('2'), 3), gone(5, Q('1'), W('1'), Q('2'))],
    ],
    ['a reader that is gone', [put(2, Q('1')), gone(3, Q('1')), use(4, 'read', Q('1'), 2)]],
    [
      'a writer behind a reader',
      [put(2, Q('1')), put(3, Q('2'), W('2')), use(4, 'write', Q('2'), 3), gone(5, Q('1'), W('2'), Q('2'))],
    ],
    [
      'a writer that has become a reader',
      [put(2, Q('1'), W('1')), gone(3, W('1')), use(4, 'write', Q('1'), 2), gone(5, Q('1'))],
    ],
    [
      'more permits than there are',
      [put(2, P('1', 2)), put(3, P('2', 2)), use(4, 'permit', P('2', 2), 3), gone(5, P('1', 2), P('2', 2))],
    ],
  ])('finds the write of %s', (_what, log) => {
    expect(check(log)).toEqual(['L6']);
  });

  it('finds what is otherwise than was told, and a key that stays', () => {
    const log = [put(2, M('1')), use(4, 'mutex', M('1'), 2)];
    expect(
      check([...log, gone(5, M('1'))], [used('u4', 'ok'), used('lost', 'unknown'), used('no', 'failed')]),
    ).toEqual([]);
    expect(check([...log, gone(5, M('1'))], [used('u4', 'failed')])).toEqual(['L6']);
    expect(check([...log, gone(5, M('1'))], [used('missing', 'ok')])).toEqual(['L6']);
    expect(check(log)).toEqual(['L5']);
  });
});

function told(name: 'enter' | 'leave', count: number, token = 2): KindOperation {
  const common = { process: 'p', input: HOLD, outcome: 'ok', invokedAt: 10, returnedAt: 11 } as const;
  if (name === 'leave') return { ...common, name, output: { count } };
  return { ...common, name, output: { key: M('1'), token, count } };
}
function seen(name: 'release' | 'lost', at: number, deleted = false): KindOperation {
  const common = { process: 'p', input: HOLD, outcome: 'ok', invokedAt: at, returnedAt: at } as const;
  return name === 'lost' ? { ...common, name, output: { deleted } } : { ...common, name, output: {} };
}
function mustFail(name: 'foreign release' | 'other size', outcome: Outcome): KindOperation {
  const output = outcome === 'ok' ? { output: {} } : {};
  return { process: 'p', name, input: OF, ...output, outcome, invokedAt: 1, returnedAt: 2 };
}
const ACQUIRED: KindOperation = {
  ...{ process: 'p', name: 'acquire', input: OF, output: { key: M('1'), token: 2 } },
  ...{ outcome: 'ok', invokedAt: 1, returnedAt: 3 },
};

describe('the check of entries', () => {
  it.each<[string, KindOperation[]]>([
    ['two entries', [ACQUIRED, told('enter', 2), told('leave', 1)]],
    ['three', [ACQUIRED, told('enter', 2), told('enter', 3), told('leave', 2), told('leave', 1)]],
    ['a loss between', [ACQUIRED, told('enter', 2), seen('lost', 10), told('leave', 0)]],
    ['another lock after a loss', [ACQUIRED, seen('lost', 10), told('enter', 1, 9)]],
    ['what is refused', [mustFail('foreign release', 'failed'), mustFail('other size', 'unknown')]],
  ])('finds nothing about %s', (_what, history) => {
    expect(checkEntries(history)).toEqual([]);
  });

  it.each<[string, KindOperation[]]>([
    ['an entry that does not count', [ACQUIRED, told('enter', 1)]],
    ['one that is left wholly at once', [ACQUIRED, told('enter', 2), told('leave', 0)]],
    ['another token', [ACQUIRED, told('enter', 2, 9)]],
    ['a foreign release', [mustFail('foreign release', 'ok')]],
    ['a permit of another size', [mustFail('other size', 'ok')]],
  ])('finds %s', (_what, history) => {
    expect(checkEntries(history)).toHaveLength(1);
  });
});

describe('the check of who gives up', () => {
  const log = [put(2, M('1')), put(3, Q('1')), gone(20, M('1'))].flat();

  it.each<[string, KindOperation[], EtcdEvent[]]>([
    ['was released', [ACQUIRED, seen('release', 15)], log],
    ['was lost with its session, and then removed', [ACQUIRED, seen('lost', 15)], log],
    ['went with its lease', [ACQUIRED], [...put(2, M('1')), ...put(3, Q('1')), ...gone(20, M('1'), Q('1'))]],
    ['was not granted yet', [{ ...ACQUIRED, returnedAt: 30 }], log],
    ['was never granted', [], log],
  ])('finds nothing about a key that %s', (_what, history, events) => {
    expect(checkRemovals(history, events)).toEqual([]);
  });

  it.each<[string, KindOperation[]]>([
    ['was held', [ACQUIRED]],
    ['was released later', [ACQUIRED, seen('release', 25)]],
    ['was seen to be gone', [ACQUIRED, seen('lost', 15, true)]],
  ])('finds a key that %s, and went alone', (_what, history) => {
    expect(checkRemovals(history, log).map(({ invariant }) => invariant)).toEqual(['L6']);
  });
});
