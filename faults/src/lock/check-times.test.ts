import { describe, expect, it } from 'vitest';
import type { EtcdEvent } from '../etcd-event.js';
import type { FaultEntry } from '../run/fault-log.js';
import { checkLiveness } from './check-liveness.js';
import { checkSignal } from './check-signal.js';
import type { LockOperation } from './lock-operations.js';

const SECOND = 1_000_000;
const OF = { scope: 'g', lock: 'l', by: 'p/0' };
const HOLD = { ...OF, token: 10 };

function seen(at: number, name: 'lost' | 'release' = 'lost', token = 10): LockOperation {
  const input = { ...OF, token };
  const [invokedAt, returnedAt] = [at * SECOND, at * SECOND];
  return { process: 'p', name, input, output: {}, outcome: 'ok', invokedAt, returnedAt };
}
function ask(at: number, leftMs: number): LockOperation {
  const [invokedAt, returnedAt] = [at * SECOND, at * SECOND];
  return { process: 'p', name: 'ask', input: HOLD, output: { leftMs }, outcome: 'ok', invokedAt, returnedAt };
}
function stall(at: number, ms: number): LockOperation {
  const [invokedAt, returnedAt] = [at * SECOND, at * SECOND];
  return { process: 'p', name: 'stall', input: {}, output: { ms }, outcome: 'ok', invokedAt, returnedAt };
}
function slow(at: number, ms: number, process = 'r'): LockOperation {
  const [invokedAt, returnedAt] = [at * SECOND, at * SECOND];
  return { process, name: 'slow', input: {}, output: { ms }, outcome: 'ok', invokedAt, returnedAt };
}
function acquire(from: number, to: number, process = 'p', token = 10): LockOperation {
  const [invokedAt, returnedAt] = [from * SECOND, to * SECOND];
  const [input, output] = [{ scope: 'g', lock: 'l', by: `${process}/0` }, { token }];
  return { process, name: 'acquire', input, output, outcome: 'ok', invokedAt, returnedAt };
}
function waits(from: number, to: number, outcome: 'failed' | 'unknown' = 'failed'): LockOperation {
  const returnedAt = outcome === 'failed' ? to * SECOND : Number.POSITIVE_INFINITY;
  const input = { scope: 'g', lock: 'l', by: 'q/0' };
  return { process: 'q', name: 'acquire', input, outcome, invokedAt: from * SECOND, returnedAt };
}
function fault(kind: string, from: number, to: number, where: FaultEntry['where']): FaultEntry {
  return { kind, where, beganAt: from * SECOND, endedAt: to * SECOND };
}
const frozen = (from: number, to: number, worker = 'p') => fault('freeze', from, to, { worker });
const KILLED = fault('kill', 3, 3, { worker: 'p' });

describe('the check of the signal', () => {
  /** Its key is put at 1 s and gone at 5 s. */
  const LOG: EtcdEvent[] = [
    { revision: 10, type: 'put', key: '/q/1', value: '', createRevision: 10, seenAt: SECOND },
    { revision: 20, type: 'delete', key: '/q/1', value: '', createRevision: 0, seenAt: 5 * SECOND },
  ];
  const check = (history: LockOperation[], faults: FaultEntry[] = []) =>
    checkSignal({ history, log: LOG, faults, queuePrefix: '/q/' }).map(({ invariant }) => invariant);
  const END = stall(60, 0);

  it.each<[string, LockOperation[], FaultEntry[]]>([
    ['who was told in time', [acquire(0, 1), seen(6), END], []],
    ['who had given it up', [acquire(0, 1), seen(4, 'release'), END], []],
    ['who was killed', [acquire(0, 1), END], [KILLED]],
    ['who stood still, and was told when it went on', [acquire(0, 1), seen(21), END], [frozen(4, 20)]],
    ['who had no processor', [acquire(0, 1), seen(21), stall(20, 16_000), END], []],
    ['who could not reach etcd', [acquire(0, 1), seen(12), END], [fault('cut', 4, 11, { member: 'm1' })]],
    ['who was told by the deadline', [acquire(0, 1), ask(2, 1_000), seen(3.5), END], []],
    ['who had the lock renewed', [acquire(0, 1), ask(2, 1_000), ask(2.5, 1_500), seen(4.5), END], []],
  ])('finds nothing of %s', (_who, history, faults) => {
    expect(check(history, faults)).toEqual([]);
  });

  it.each<[string, LockOperation[], FaultEntry[]]>([
    ['who was never told', [acquire(0, 1), END], []],
    ['who was told too late', [acquire(0, 1), seen(8), END], []],
    ['who gave it up too late', [acquire(0, 1), seen(8, 'release'), END], []],
    ['who stood still, and was told long after', [acquire(0, 1), seen(23), END], [frozen(4, 20)]],
    ['who stood still long before', [acquire(0, 1), seen(9), END], [frozen(2, 4)]],
    ['for whom another stood still', [acquire(0, 1), seen(9), END], [frozen(4, 20, 'q')]],
    ['who was told long after the deadline', [acquire(0, 1), ask(2, 1_000), seen(4.5), END], []],
  ])('finds one %s', (_who, history, faults) => {
    expect(check(history, faults)).toEqual(['L4']);
  });
});

describe('the check that somebody goes on', () => {
  const END = seen(60, 'release', 99);
  /** 2 + 1 + 2 s, and 2 s of tolerance. */
  const check = (history: LockOperation[], faults: FaultEntry[] = []) =>
    checkLiveness([...history, END], faults, 2_000).map(({ invariant }) => invariant);

  it.each<[string, LockOperation[], FaultEntry[]]>([
    ['nobody waits', [acquire(0, 1), seen(2, 'release')], []],
    ['the lock is held', [acquire(0, 1), waits(2, 20), seen(18, 'release')], []],
    ['the next one has it soon', [acquire(0, 1), acquire(2, 24, 'q', 20), seen(18, 'release')], []],
    ['who waits stands still', [waits(1, 30)], [frozen(2, 29, 'q')]],
    ['lines and members fail', [waits(1, 30)], [fault('leader killed', 2, 26, { member: 'm1' })]],
    ['etcd answers nobody', [waits(1, 30), slow(25, 23_000)], []],
    ['who asked was killed', [waits(1, 30, 'unknown')], [{ ...KILLED, where: { worker: 'q' } }]],
    ['who asked does something else by now', [waits(1, 30, 'unknown'), waits(4, 5)], []],
  ])('finds nothing while %s', (_what, history, faults) => {
    expect(check(history, faults)).toEqual([]);
  });

  it.each<[string, LockOperation[], FaultEntry[]]>([
    ['that nobody holds', [waits(1, 30)], []],
    [
      'that nobody holds, whose reads are slow as they stand still',
      [waits(1, 30), slow(28, 26_000)],
      [frozen(2, 28, 'r')],
    ],
    ['that somebody may still want', [waits(1, 30, 'unknown')], []],
    ['that was given up', [acquire(0, 1), waits(2, 20), seen(3, 'release')], []],
    ['whose holder was killed', [acquire(0, 1), waits(2, 20)], [KILLED]],
    ['whose holder stands still', [acquire(0, 1), waits(2, 20)], [frozen(3, 20)]],
    ['long after the last fault', [waits(1, 30)], [fault('leader killed', 2, 20, { member: 'm1' })]],
  ])('finds a lock %s', (_which, history, faults) => {
    expect(check(history, faults)).toEqual(['L5']);
  });

  it('finds a lock that was waited for until the end', () => {
    expect(checkLiveness([waits(1, 30)], [], 2_000)).toHaveLength(1);
  });
});
