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
