import { readJsonLines } from '../json-lines.js';
import { LINE_FAULTS } from '../run/cluster-faults.js';
import type { FaultEntry } from '../run/fault-log.js';
import type { Workload } from '../run/workload.js';
import { checkCopies } from './check-copy.js';
import { checkWatches } from './check-watch.js';
import { compactedBefore, hiddenCompactions } from './compactions.js';
import { endOf } from './run-end.js';
import { watchFigures } from './watch-figures.js';
import { prefixOfRun } from './watch-names.js';
import type { WatchOperation } from './watch-operations.js';
import { WATCH_PLANTS } from './watch-plants.js';
import { recordsOf } from './watch-record.js';

export const WATCH: Workload = {
  name: 'watch',
  about: 'a writer, and watches and live copies of all kinds that follow it',
  workers: 3,
  // Mostly breaks of the line: what counts is how often a watch has to find its place again.
  faults: [
    ...(['cut', 'cut', 'cut', 'reset', 'reset', 'reset'] as const),
    ...LINE_FAULTS,
    ...(['leader killed', 'leader frozen', 'member restarted', 'compaction'] as const),
  ],
  hooks: {
    faults: ['cut', 'cut', 'cut', 'freeze', 'compaction', 'kill'],
    rate: 0.7,
    progress: { name: 'write', times: 40 },
  },
  plants: WATCH_PLANTS,
  keeps: (key, run) => key.startsWith(prefixOfRun(run)),
  passes: () => false,
  check: (folder) => {
    const { history, log } = folder.evidence<WatchOperation>();
    const faults = readJsonLines<FaultEntry>(folder.faultFile);
    const compacted = compactedBefore(faults, log);
    const hidden = hiddenCompactions(folder.settings().versions ?? '', faults, log);
    const end = endOf(log);
    return [
      ...checkWatches(recordsOf(history), log, compacted, end, hidden),
      ...checkCopies(history, log, end),
    ];
  },
  figures: (folder) => watchFigures(folder.evidence<WatchOperation>().history),
};
