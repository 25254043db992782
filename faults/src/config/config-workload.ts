import { checkChain } from '../check-chain.js';
import { LINE_FAULTS } from '../run/cluster-faults.js';
import type { Workload } from '../run/workload.js';
import { checkManagers } from './check-manager.js';
import { configRawKey } from './config-names.js';
import type { ConfigOperation, Setting } from './config-operations.js';

export const CONFIG: Workload = {
  name: 'config',
  about: 'writers that compare and set one key, and managers that follow it',
  workers: 4,
  faults: [
    ...LINE_FAULTS,
    ...([
      'leader moved',
      'leader killed',
      'leader frozen',
      'member restarted',
      'all killed',
      'compaction',
    ] as const),
  ],
  hooks: {
    faults: ['freeze', 'kill', 'lost answer', 'cut'],
    rate: 0.05,
    progress: { name: 'write', times: 3 },
  },
  plants: [
    {
      variant: 'unconditional',
      about: 'a value is changed and set without the version that was read',
      breaks: 'C2',
      only: { workers: 2, point: 'between read and write', faults: ['freeze'] },
    },
    {
      variant: 'older value',
      about: 'a service goes back to the configuration that it had before',
      breaks: 'M1',
      only: { workers: 3, point: 'between read and write', faults: ['freeze'] },
    },
  ],
  keeps: (key, run) => key === configRawKey(run),
  passes: () => false,
  check: (folder) => {
    const { history, log } = folder.evidence<ConfigOperation>();
    const settings = log.map(({ value }): Setting => JSON.parse(value));
    const attempts = history.flatMap(({ name, input, outcome }) =>
      name === 'write' ? [{ id: input.id, outcome }] : [],
    );
    return [...checkChain('C2', settings, attempts), ...checkManagers(history, settings)];
  },
};
