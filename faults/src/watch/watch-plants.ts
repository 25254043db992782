import type { Narrow } from '../run/run-folder.js';
import type { Plant } from '../run/workload.js';

const FROZEN: Narrow = { workers: 2, point: 'amid batches', faults: ['freeze'] };
const COMPACTED: Narrow = { workers: 2, point: 'amid batches', faults: ['compaction'] };

export const WATCH_PLANTS: readonly Plant[] = [
  {
    variant: 'resumed too early',
    about: 'a watch is resumed at the last revision, not after it',
    breaks: 'W1',
    only: FROZEN,
  },
  {
    variant: 'resumed too late',
    about: 'a watch is resumed one revision after the right one',
    breaks: 'W1',
    only: FROZEN,
  },
  {
    variant: 'split',
    about: 'a transaction is told in two parts',
    breaks: 'W1',
    only: FROZEN,
  },
  {
    variant: 'dropped after a resync',
    about: 'what follows the state after a compaction is not told',
    breaks: 'W1',
    only: COMPACTED,
  },
  {
    variant: 'keeps what is deleted',
    about: 'a live copy keeps keys that are deleted',
    breaks: 'W2',
    only: FROZEN,
  },
  {
    variant: 'goes back',
    about: 'a live copy shows what it was some revisions ago',
    breaks: 'W2',
    only: FROZEN,
  },
];
