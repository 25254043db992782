import { asidePrefix, type FLOOD, GROUPS, type IDLE, watchPrefix } from './watch-names.js';
import type { Ignored, Resync } from './watch-operations.js';

/** A watch, where it begins, and how its reader treats it. */
export interface WatchKind {
  readonly keys: 'all' | 'group' | typeof IDLE | typeof FLOOD;
  /** From now on, some revisions ago, or some revisions that are still to come. */
  readonly start: 'now' | 'past' | 'future';
  readonly resync: Resync;
  readonly maxBuffered?: number;
  readonly ignore?: Ignored;
  readonly previous?: true;
  /** How long its reader takes over each batch. */
  readonly slownessMs?: number;
  /** So many batches after another, its caller closes it, and opens it again where it was. */
  readonly batchesOfCaller?: number;
  /** It tells the run of a moment, now and then. */
  readonly tells?: true;
}

export const WATCH_KINDS: readonly WatchKind[] = [
  { keys: 'all', start: 'past', resync: 'difference', tells: true },
  { keys: 'all', start: 'past', resync: 'snapshot', maxBuffered: 1, batchesOfCaller: 20 },
  { keys: 'all', start: 'past', resync: 'difference', maxBuffered: 50, slownessMs: 12 },
  { keys: 'all', start: 'now', resync: 'error' },
  { keys: 'all', start: 'future', resync: 'difference', batchesOfCaller: 150 },
  { keys: 'all', start: 'past', resync: 'snapshot', ignore: 'put' },
  { keys: 'group', start: 'past', resync: 'difference', maxBuffered: 3, slownessMs: 2 },
  { keys: 'group', start: 'now', resync: 'snapshot', maxBuffered: 50, slownessMs: 4 },
  { keys: 'group', start: 'past', resync: 'difference', previous: true },
  { keys: 'group', start: 'past', resync: 'error', batchesOfCaller: 30 },
  { keys: 'group', start: 'past', resync: 'snapshot', ignore: 'delete', maxBuffered: 3 },
  { keys: 'group', start: 'now', resync: 'error', previous: true },
  { keys: 'group', start: 'past', resync: 'difference', maxBuffered: 1, slownessMs: 25 },
  { keys: 'group', start: 'past', resync: 'snapshot', slownessMs: 6, batchesOfCaller: 20 },
  { keys: 'group', start: 'now', resync: 'error', ignore: 'put' },
  { keys: 'idle', start: 'past', resync: 'difference' },
  { keys: 'idle', start: 'now', resync: 'error' },
  { keys: 'flood', start: 'past', resync: 'difference', previous: true },
];

/** Of these each client has some more, for the crowd. */
export const CROWD: WatchKind = { keys: 'all', start: 'past', resync: 'difference' };

/** The prefix of the watch of this number. */
export function prefixOf(run: string, { keys }: WatchKind, index: number): string {
  if (keys === 'all') return watchPrefix(run);
  return keys === 'group' ? watchPrefix(run, index % GROUPS) : asidePrefix(run, keys);
}
