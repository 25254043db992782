import { describe, expect, it } from 'vitest';
import type { EtcdEvent } from '../etcd-event.js';
import type { FaultEntry } from '../run/fault-log.js';
import { checkBelief } from './check-belief.js';
import { checkFencing } from './check-fencing.js';
import type { Entry, LockOperation } from './lock-operations.js';

const KEYS = { queuePrefix: '/q/', dataKey: '/data' };

function put(revision: number, key: string, value = '', seenAt = revision): EtcdEvent {
  return { revision, type: 'put', key, value, createRevision: revision, seenAt };
}
function gone(revision: number, key: string, seenAt = revision): EtcdEvent {
  return { revision, type: 'delete', key, value: '', createRevision: 0, seenAt };
}
const entry = (revision: number, value: Entry) => put(revision, KEYS.dataKey, JSON.stringify(value));
const OF = { scope: 'g', lock: 'l', by: 'p/0' };
function write(entry: Entry, outcome: 'ok' | 'failed' | 'unknown' = 'ok'): LockOperation {
  const input = { ...OF, ...entry, guard: 'compare' } as const;
  return { process: 'p', name: 'write', input, outcome, invokedAt: 0, returnedAt: 0 };
}
function acquire(process: string, token: number, returnedAt: number): LockOperation {
  const output = { token };
  return { process, name: 'acquire', input: OF, output, outcome: 'ok', invokedAt: 0, returnedAt };
}
function believe(token: number, holds: boolean, invokedAt: number): LockOperation {
  const returnedAt = invokedAt + 1;
  return {
    process: 'p',
    name: 'believe',
    input: { ...OF, token },
    output: { holds },
    outcome: 'ok',
    invokedAt,
    returnedAt,
  };
}

const A = { id: 'a', read: '', token: 10 };
const B = { id: 'b', read: 'a', token: 20 };
const C = { id: 'c', read: 'b', token: 20 };
const LOG = [
  put(10, '/q/1'),
  entry(11, A),
  put(20, '/q/2'),
  gone(21, '/q/1'),
  entry(22, B),
  entry(23, C),
  gone(24, '/q/2'),
];
const invariants = (history: readonly LockOperation[], log: readonly EtcdEvent[]) =>
  checkFencing(history, log, KEYS).map(({ invariant }) => invariant);

describe('the check of fenced writes', () => {
  it('finds nothing where each writer was at the head, whatever became of unknown writes', () => {
    const lost = write({ id: 'd', read: 'c', token: 30 }, 'unknown');
    const late = write({ id: 'e', read: 'a', token: 10 }, 'failed');
    expect(
      invariants(
        [acquire('p', 10, 1), acquire('q', 20, 2), write(A), write(B, 'unknown'), write(C), lost, late],
        LOG,
      ),
    ).toEqual([]);
  });

  it.each<[string, string[], readonly LockOperation[], readonly EtcdEvent[]]>([
    [
      'an acknowledged write that is not there',
      ['L2'],
      [write(A), write(B), write(C), write({ ...C, id: 'x' })],
      LOG,
    ],
    ['a failed write that is there', ['L2'], [write(A), write(B, 'failed'), write(C)], LOG],
    ['a write that nobody made', ['L2'], [write(A), write(B)], LOG],
    [
      'an update that was written over',
      ['L2'],
      [write(A), write(B), write({ ...C, read: 'a' })],
      [...LOG.slice(0, 5), entry(23, { ...C, read: 'a' }), gone(24, '/q/2')],
    ],
    [
      'a write by who waits',
      ['L1'],
      [write(A)],
      [put(8, '/q/0'), put(10, '/q/1'), entry(11, A), gone(12, '/q/0'), gone(13, '/q/1')],
    ],
    [
      'a write after another was granted',
      ['L1', 'L1', 'L2'],
      [write(A), write(B), write({ id: 'z', read: '', token: 10 })],
      [...LOG.slice(0, 5), entry(23, { id: 'z', read: '', token: 10 }), gone(24, '/q/2')],
    ],
    [
      'a write that was applied twice',
      ['L1', 'L2', 'L2'],
      [write(A)],
      [put(10, '/q/1'), entry(11, A), gone(12, '/q/1'), entry(13, A)],
    ],
    [
      'a token that was granted twice',
      ['L1'],
      [acquire('p', 10, 1), acquire('q', 10, 2), write(A), write(B), write(C)],
      LOG,
    ],
    ['a key that stays', ['L5'], [write(A), write(B), write(C)], LOG.slice(0, -1)],
  ])('finds %s', (_what, expected, history, log) => {
    expect(invariants(history, log)).toEqual(expected);
  });
});

describe('the check of what holders believe', () => {
  const judge = (history: LockOperation[], faults: FaultEntry[] = []) =>
    checkBelief({ history, log: LOG, faults, queuePrefix: KEYS.queuePrefix });
  const check = (...history: LockOperation[]) => judge(history);

  it('finds nothing while the lock is held, and where it is known to be lost', () => {
    expect(
      check(acquire('p', 10, 11), believe(10, true, 15), acquire('q', 20, 22), believe(10, false, 30)),
    ).toEqual([]);
  });

  it('finds one who believes when another has the lock', () => {
    expect(check(acquire('p', 10, 11), acquire('q', 20, 18), believe(10, true, 19))).toHaveLength(1);
  });

  it('gives those who were ousted, and them alone, two seconds to hear of it', () => {
    const input = { ...OF, token: 10 };
    const oust = { process: 'q', name: 'oust', input, output: {}, outcome: 'ok' } as const;
    const ousted: LockOperation = { ...oust, invokedAt: 18, returnedAt: 21 };
    expect(check(acquire('p', 10, 11), ousted, believe(10, true, 22))).toEqual([]);
    expect(check(acquire('p', 10, 11), ousted, believe(10, true, 2_000_022))).toHaveLength(1);
    expect(check(acquire('q', 20, 21), ousted, believe(20, true, 25))).toHaveLength(1);
  });

  it('gives those the same from whom a leader takes the lease that stood still', () => {
    const frozen = { kind: 'leader frozen', where: { member: 'm1' }, beganAt: 12, endedAt: 15 };
    const late = [acquire('p', 10, 11), acquire('q', 20, 21), believe(10, true, 22)];
    expect(judge(late, [frozen])).toEqual([]);
    expect(judge([...late, believe(10, true, 2_000_022)], [frozen])).toHaveLength(2);
    expect(judge(late, [{ ...frozen, kind: 'leader killed' }])).toHaveLength(2);
    expect(judge(late, [{ ...frozen, beganAt: 22 }])).toHaveLength(2);
    const slow = {
      process: 'r',
      name: 'slow',
      input: {},
      outcome: 'ok',
      invokedAt: 15,
      returnedAt: 15,
    } as const;
    expect(judge([...late, { ...slow, output: { ms: 1_000 } }])).toEqual([]);
    expect(judge([...late, { ...slow, output: { ms: 999 } }])).toHaveLength(2);
  });

  it('finds one who believes when its key is gone', () => {
    expect(check(acquire('p', 10, 11), believe(10, true, 22))).toHaveLength(1);
  });
});
