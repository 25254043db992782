import { LINE_FAULTS } from '../run/cluster-faults.js';
import type { Narrow } from '../run/run-folder.js';
import type { Workload } from '../run/workload.js';
import { checkLocks, lockFigures } from './check-lock.js';
import { PAUSED_AT, pauseFigures } from './check-pauses.js';
import { isDataKey, isQueueKey, lockSetting } from './lock-names.js';
import type { LockOperation } from './lock-operations.js';

const FROZEN_BEFORE_WRITE: Narrow = { workers: 2, point: PAUSED_AT, faults: ['freeze'] };

export const LOCK: Workload = {
  name: 'lock',
  about: 'several contenders in each of several processes, which read and write one key for each lock',
  workers: 6,
  faults: [
    ...LINE_FAULTS,
    ...LINE_FAULTS,
    ...(['leader moved', 'leader killed', 'leader frozen', 'member restarted', 'all killed'] as const),
  ],
  hooks: {
    faults: ['freeze', 'freeze', 'freeze amid', 'freeze amid', 'kill', 'lost answer', 'lost answer'],
    rate: 0.02,
    progress: { name: 'write', times: 2 },
  },
  plants: [
    {
      variant: 'unguarded',
      about: 'a holder writes without its token being compared',
      breaks: 'L2',
      only: FROZEN_BEFORE_WRITE,
    },
    {
      variant: 'wall clock',
      about: 'a holder believes in its lock by a deadline of the wall clock',
      breaks: 'L3',
      only: FROZEN_BEFORE_WRITE,
    },
    {
      variant: 'deaf',
      about: "a holder works on without listening to its lock's signal",
      breaks: 'L4',
      only: FROZEN_BEFORE_WRITE,
    },
  ],
  keeps: (key, run) => isDataKey(key, run) || isQueueKey(key, run),
  passes: isQueueKey,
  check: (folder) => checkLocks(folder, lockSetting('lock')),
  figures: (folder) => ({ ...pauseFigures(folder.evidence<LockOperation>()), ...lockFigures(folder) }),
};
