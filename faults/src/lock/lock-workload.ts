import { LINE_FAULTS } from '../run/cluster-faults.js';
import type { Narrow } from '../run/run-folder.js';
import type { Workload } from '../run/workload.js';
import { checkBelief } from './check-belief.js';
import { checkFencing } from './check-fencing.js';
import { lockDataKey, lockQueuePrefix } from './lock-names.js';
import type { LockOperation } from './lock-operations.js';

const FROZEN_BEFORE_WRITE: Narrow = { workers: 2, point: 'between check and write', faults: ['freeze'] };

export const LOCK: Workload = {
  name: 'lock',
  about: 'processes that read and write one key under a lock',
  workers: 4,
  faults: [
    ...LINE_FAULTS,
    ...(['leader moved', 'leader killed', 'leader frozen', 'member restarted', 'all killed'] as const),
  ],
  hooks: {
    faults: ['freeze', 'freeze', 'kill', 'lost answer'],
    rate: 0.3,
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
  ],
  keeps: (key, run) => key === lockDataKey(run) || key.startsWith(lockQueuePrefix(run)),
  passes: (key, run) => key.startsWith(lockQueuePrefix(run)),
  check: (folder) => {
    const { run, history, log } = folder.evidence<LockOperation>();
    const queuePrefix = lockQueuePrefix(run);
    return [
      ...checkFencing(history, log, { queuePrefix, dataKey: lockDataKey(run) }),
      ...checkBelief(history, log, queuePrefix),
    ];
  },
};
