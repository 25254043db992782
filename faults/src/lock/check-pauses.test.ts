import { describe, expect, it } from 'vitest';
import type { EtcdEvent } from '../etcd-event.js';
import type { Outcome } from '../operation.js';
import type { FaultEntry } from '../run/fault-log.js';
import { checkPauses, PAUSED_AT, pauseFigures } from './check-pauses.js';
import type { Guard, LockOperation } from './lock-operations.js';

const PAUSE: FaultEntry = {
  kind: 'freeze',
  where: { worker: 'p', point: PAUSED_AT, scope: 'g', part: 'p/0' },
  beganAt: 10,
  endedAt: 20,
};
function grant(returnedAt: number, token = 8, lock = 'l'): LockOperation {
  const input = { scope: 'g', lock, by: 'q/0' };
  return { process: 'q', name: 'acquire', input, output: { token }, outcome: 'ok', invokedAt: 1, returnedAt };
}
function write(invokedAt: number, outcome: Outcome, guard: Guard = 'compare'): LockOperation {
  const input = { scope: 'g', lock: 'l', by: 'p/0', id: `w${invokedAt}`, read: '', token: 5, guard };
  return { process: 'p', name: 'write', input, outcome, invokedAt, returnedAt: invokedAt + 1 };
}
function written(id: string): EtcdEvent {
  const value = JSON.stringify({ id, read: '', token: 5 });
  return { revision: 30, type: 'put', key: '/faults/l/data', value, createRevision: 30, seenAt: 30 };
}
const evidence = (history: LockOperation[], log: EtcdEvent[] = []) => ({ history, log, faults: [PAUSE] });

describe('the check of pauses between check and write', () => {
  it.each<[string, LockOperation[], EtcdEvent[]]>([
    ['the write is refused', [grant(15), write(21, 'failed')], []],
    ['the answer is lost, and nothing written', [grant(15), write(21, 'unknown')], []],
    ['nobody else had the lock meanwhile', [grant(25), write(21, 'ok')], [written('w21')]],
    ['another lock passed on', [grant(15, 8, 'm'), write(21, 'ok')], [written('w21')]],
    ['the write was made before', [grant(15), write(9, 'ok'), write(21, 'failed')], [written('w9')]],
  ])('finds nothing when %s', (_what, history, log) => {
    expect(checkPauses(evidence(history, log))).toEqual([]);
  });

  it.each<[string, LockOperation[], EtcdEvent[]]>([
    ['was acknowledged', [grant(15), write(21, 'ok')], []],
    ['was acknowledged, and is there', [grant(15), write(21, 'ok')], [written('w21')]],
    ['is there, its answer lost', [grant(15), write(21, 'unknown')], [written('w21')]],
    ['is there, and was said to be refused', [grant(15), write(21, 'failed')], [written('w21')]],
  ])('finds a write after the lock had passed on that %s', (_what, history, log) => {
    expect(checkPauses(evidence(history, log)).map(({ invariant }) => invariant)).toEqual(['L1']);
    expect(pauseFigures(evidence(history, log))).toMatchObject({ 'got through': 1 });
  });

  it('looks at each holder of a process that stood still', () => {
    const where = { ...PAUSE.where, part: 'q/9 p/0' };
    const evidenced = { ...evidence([grant(15), write(21, 'ok')]), faults: [{ ...PAUSE, where }] };
    expect(checkPauses(evidenced)).toHaveLength(1);
    expect(Object.values(pauseFigures(evidenced)).slice(0, 3)).toEqual([1, 2, 1]);
  });

  it('counts each pause once, by what came of it', () => {
    const faults = [PAUSE, { ...PAUSE, beganAt: 30 }, { ...PAUSE, beganAt: 50 }, { ...PAUSE, beganAt: 70 }];
    const history = [grant(15), write(21, 'failed'), write(31, 'failed', 'clock'), write(51, 'unknown')];
    const elsewhere = { ...PAUSE, where: { ...PAUSE.where, point: 'before release' } };
    const log = [written('w1')];
    expect(Object.values(pauseFigures({ history, log, faults: [...faults, elsewhere] }))).toEqual([
      4, 4, 3, 3, 1, 1, 1, 0,
    ]);
  });
});
