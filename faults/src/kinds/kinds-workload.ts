import { LINE_FAULTS } from '../run/cluster-faults.js';
import type { Narrow } from '../run/run-folder.js';
import type { Plant, Workload } from '../run/workload.js';
import { checkEntries } from './check-entries.js';
import { checkRemovals } from './check-removals.js';
import { checkUses } from './check-uses.js';
import { isKindQueueKey, kindKeys } from './kinds-names.js';
import type { KindOperation } from './kinds-operations.js';

const FROZEN: Narrow = { workers: 2, point: 'between check and write', faults: ['freeze'] };

function plant(variant: string, about: string, only = FROZEN): Plant {
  return { variant, about, breaks: 'L6', only };
}

export const KINDS: Workload = {
  name: 'kinds',
  about: 'reentrant mutex, read/write lock and semaphore of one name, each used by several in every process',
  workers: 4,
  faults: [
    ...LINE_FAULTS,
    ...LINE_FAULTS,
    ...(['leader moved', 'leader killed', 'leader frozen', 'member restarted', 'all killed'] as const),
  ],
  hooks: {
    faults: ['freeze', 'freeze', 'freeze amid', 'freeze amid', 'kill', 'lost answer', 'lost answer'],
    rate: 0.01,
    progress: { name: 'use', times: 2 },
  },
  plants: [
    plant('rushing writer', 'a writer does not wait for those before it'),
    plant('rushing reader', 'a reader does not wait for the writer before it'),
    plant('rushing for a permit', 'a permit is taken, though all are'),
    plant('leaves at once', 'who has entered a lock twice leaves it wholly the first time'),
    plant('foreign release', 'a lock is given up by one that does not hold it', {
      ...FROZEN,
      point: 'having stolen',
    }),
  ],
  keeps: (key, run) => key === kindKeys(run).data || isKindQueueKey(key, run),
  passes: isKindQueueKey,
  check: (folder) => {
    const { run, history, log } = folder.evidence<KindOperation>();
    return [
      ...checkUses(history, log, kindKeys(run)),
      ...checkEntries(history),
      ...checkRemovals(history, log),
    ];
  },
  figures: (folder) => {
    const { history } = folder.evidence<KindOperation>();
    const granted = (kind: string) =>
      history.filter(
        ({ name, input, outcome }) => name === 'acquire' && input.kind === kind && outcome === 'ok',
      ).length;
    const count = (name: string, outcome: string) =>
      history.filter((each) => each.name === name && each.outcome === outcome).length;
    return {
      'mutexes granted, each entered twice': granted('mutex'),
      'read locks granted': granted('read'),
      'write locks granted': granted('write'),
      'permits granted': granted('permit'),
      'readers that became writers, and writers readers': count('convert', 'ok'),
      'losses that holders were told of': count('lost', 'ok'),
      'foreign releases refused': count('foreign release', 'failed'),
      'permits of another size refused': count('other size', 'failed'),
    };
  },
};
