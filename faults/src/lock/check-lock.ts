import type { RunFolder } from '../run/run-folder.js';
import type { Figures } from '../run/workload.js';
import type { Violation } from '../violation.js';
import { checkBelief } from './check-belief.js';
import { checkFencing } from './check-fencing.js';
import { checkLiveness, longestIdleMs } from './check-liveness.js';
import { checkPauses } from './check-pauses.js';
import { checkSignal } from './check-signal.js';
import { type LockSetting, lockDataKey, lockQueuePrefix } from './lock-names.js';
import { type LockOperation, locksOf, operationsOn } from './lock-operations.js';

/** Every promise of the mutex, for each lock of a run. */
export function checkLocks(folder: RunFolder, { ttlMs }: LockSetting): Violation[] {
  const { history, log, faults } = folder.evidence<LockOperation>();
  const everywhere = history.filter(({ name }) => name === 'stall' || name === 'slow');
  const ofLocks = locksOf(history).flatMap((lock) => {
    const own = operationsOn(history, lock);
    const withStalls = [...own, ...everywhere].sort((a, b) => a.invokedAt - b.invokedAt);
    const queuePrefix = lockQueuePrefix(lock);
    return [
      ...checkFencing(own, log, { queuePrefix, dataKey: lockDataKey(lock) }),
      ...checkBelief({ history: withStalls, log, faults, queuePrefix }),
      ...checkSignal({ history: withStalls, log, faults, queuePrefix }),
      ...checkLiveness(withStalls, faults, ttlMs),
    ];
  });
  return [...ofLocks, ...checkPauses({ history, log, faults })];
}

/** How long a free lock was waited for at most, and how it went with each thing that holders do. */
export function lockFigures(folder: RunFolder): Figures {
  const { history, faults } = folder.evidence<LockOperation>();
  const everywhere = history.filter(({ name }) => name === 'stall' || name === 'slow');
  const idle = locksOf(history).map((lock) => {
    const own = [...operationsOn(history, lock), ...everywhere];
    return longestIdleMs(
      own.sort((a, b) => a.invokedAt - b.invokedAt),
      faults,
    );
  });
  const count = (name: string) =>
    history.filter((each) => each.name === name && each.outcome === 'ok').length;
  return {
    grants: count('acquire'),
    'guarded writes': count('write'),
    'losses that holders were told of': count('lost'),
    'holders ousted': count('oust'),
    'reads that took longer than 400 ms': history.filter(({ name }) => name === 'slow').length,
    'longest wait for a free lock while nothing failed (ms)': Math.round(Math.max(0, ...idle)),
  };
}
