import { LINE_FAULTS } from '../run/cluster-faults.js';
import type { Workload } from '../run/workload.js';
import { checkRegisters } from './check-registers.js';
import type { RegisterOperation } from './register-operations.js';

export const REGISTER: Workload = {
  name: 'register',
  about: 'gets, puts and compare-and-sets of a few keys at a time',
  workers: 4,
  faults: [
    ...LINE_FAULTS,
    'leader moved',
    'leader killed',
    'leader frozen',
    'member restarted',
    'compaction',
  ],
  hooks: { faults: ['lost answer', 'freeze', 'kill'], rate: 0.02, progress: { name: 'put', times: 20 } },
  plants: [
    {
      variant: 'blind retry',
      about: 'a compare-and-set of unknown outcome is done again, and the second answer counts',
      breaks: 'KV',
      only: { workers: 1, point: 'before a swap', faults: ['lost answer'] },
    },
  ],
  keeps: (key, run) => key.startsWith(registerPrefix(run)),
  passes: () => false,
  check: (folder) => checkRegisters(folder.evidence<RegisterOperation>().history),
};

export function registerPrefix(run: string): string {
  return `/faults/${run}/`;
}
