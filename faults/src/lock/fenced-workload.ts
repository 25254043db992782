import type { Workload } from '../run/workload.js';
import { checkLocks, lockFigures } from './check-lock.js';
import { PAUSED_AT, pauseFigures } from './check-pauses.js';
import { isDataKey, isQueueKey, lockSetting } from './lock-names.js';
import type { LockOperation } from './lock-operations.js';

/**
 * Nothing else fails, so that each write of a holder that stood still has an answer. A change of leader
 * would give every lease its whole time anew, too, and pauses would take longer. `lock` has them together.
 */
export const FENCED: Workload = {
  name: 'fenced',
  about: 'holders that stand still between their check and their write until another has the lock',
  workers: 8,
  faults: [],
  hooks: {
    faults: ['freeze'],
    point: PAUSED_AT,
    rate: 0.5,
    progress: { name: 'write', times: 4 },
  },
  plants: [
    {
      variant: 'unguarded',
      about: 'a holder that stood still writes without its token being compared',
      breaks: 'L1',
      only: { workers: 2, point: PAUSED_AT, faults: ['freeze'] },
    },
    {
      variant: 'sits on it',
      about: 'a process takes the lock, and neither says so nor gives it up',
      breaks: 'L5',
      only: { workers: 2, point: 'sitting on the lock', faults: ['cut'] },
    },
  ],
  keeps: (key, run) => isDataKey(key, run) || isQueueKey(key, run),
  passes: isQueueKey,
  check: (folder) => checkLocks(folder, lockSetting('fenced')),
  figures: (folder) => ({ ...pauseFigures(folder.evidence<LockOperation>()), ...lockFigures(folder) }),
};
