import { LINE_FAULTS } from '../run/cluster-faults.js';
import type { Narrow } from '../run/run-folder.js';
import type { Workload } from '../run/workload.js';
import { checkWatches } from './check-watch.js';
import { watchPrefix } from './watch-names.js';
import type { WatchOperation } from './watch-operations.js';
import { recordsOf } from './watch-record.js';

const FROZEN_AMID_BATCHES: Narrow = { workers: 2, point: 'amid batches', faults: ['freeze'] };

export const WATCH: Workload = {
  name: 'watch',
  about: 'a writer, and many watches of all kinds that follow it',
  workers: 3,
  // Mostly breaks of the line: what counts is how often a watch has to find its place again.
  faults: [
    ...(['cut', 'cut', 'cut', 'reset', 'reset', 'reset'] as const),
    ...LINE_FAULTS,
    ...(['leader killed', 'leader frozen', 'member restarted', 'compaction'] as const),
  ],
  hooks: { faults: ['freeze', 'cut', 'kill'], rate: 0.5, progress: { name: 'write', times: 100 } },
  plants: [
    {
      variant: 'resumed too early',
      about: 'a watch is resumed at the last revision, not after it',
      breaks: 'W1',
      only: FROZEN_AMID_BATCHES,
    },
    {
      variant: 'resumed too late',
      about: 'a watch is resumed one revision after the right one',
      breaks: 'W1',
      only: FROZEN_AMID_BATCHES,
    },
  ],
  keeps: (key, run) => key.startsWith(watchPrefix(run)),
  passes: () => false,
  check: (folder) => {
    const { history, log } = folder.evidence<WatchOperation>();
    return checkWatches(recordsOf(history), log);
  },
};
