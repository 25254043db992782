import { checkChain } from '../check-chain.js';
import { LINE_FAULTS } from '../run/cluster-faults.js';
import type { Narrow } from '../run/run-folder.js';
import type { Workload } from '../run/workload.js';
import { checkApplied, checkSnapshots } from './check-manager.js';
import { checkReleases } from './check-releases.js';
import { checkShown } from './check-shown.js';
import { checkOverrides, checkSchemas, checkSecrets } from './check-values.js';
import { checkOnce, checkVersions } from './check-versions.js';
import { figuresOf } from './config-figures.js';
import { isOfRun, keysOf, rawKey } from './config-names.js';
import type { ConfigOperation } from './config-operations.js';
import { chainOf } from './setting-chain.js';

/** By then a manager has lived for a while. */
const FROZEN: Narrow = { workers: 3, point: 'before a manager ends', faults: ['freeze'] };

export const CONFIG: Workload = {
  name: 'config',
  about: 'writers of keys, releases, canaries and schemas, and managers that follow them',
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
    faults: ['freeze', 'kill', 'kill without etcd', 'lost answer', 'cut'],
    rate: 0.05,
    progress: { name: 'write', times: 3 },
  },
  plants: [
    {
      variant: 'unconditional',
      about: 'a value is changed and set without the version that was read',
      breaks: 'C2',
      only: FROZEN,
    },
    {
      variant: 'older value',
      about: 'a service goes back to the configuration that it had before',
      breaks: 'M1',
      only: FROZEN,
    },
    {
      variant: 'invalid value',
      about: 'a service takes what it should have refused',
      breaks: 'M1',
      only: FROZEN,
    },
    {
      variant: 'torn snapshot',
      about: 'the snapshot is written in place, and its writer is killed',
      breaks: 'M2',
      only: FROZEN,
    },
    {
      variant: 'announced too early',
      about: 'an instance announces how far etcd is, not what it has in use',
      breaks: 'M3',
      only: FROZEN,
    },
    {
      variant: 'key by key',
      about: 'the keys of a release are set one after the other',
      breaks: 'C3',
      only: FROZEN,
    },
    {
      variant: 'blind retry',
      about: 'a release whose answer is lost is written again',
      breaks: 'C3',
      only: { workers: 3, point: 'during publish', faults: ['lost answer'] },
    },
    {
      variant: 'old schema',
      about: 'a value is not checked against the schema of the moment',
      breaks: 'C5',
      only: FROZEN,
    },
    {
      variant: 'endless override',
      about: 'an override is not on a lease',
      breaks: 'C7',
      only: FROZEN,
    },
    {
      variant: 'in clear',
      about: 'a release leaves out that its secret is one',
      breaks: 'C6',
      only: FROZEN,
    },
  ],
  keeps: isOfRun,
  passes: () => false, // managers end when no override is left
  check: (folder) => {
    const { run, history, log } = folder.evidence<ConfigOperation>();
    return [
      ...checkChain('C2', ...chainOf(history, log, rawKey(keysOf(run).bounds))),
      ...checkOnce(history, log),
      ...checkReleases(history, log, run),
      ...checkVersions(history, log),
      ...checkSchemas(log, run),
      ...checkSecrets(log, run),
      ...checkOverrides(log, run),
      ...checkShown(history, log, run),
      ...checkSnapshots(history),
      ...checkApplied(history, log, run),
    ];
  },
  figures: (folder) => figuresOf(folder.evidence<ConfigOperation>().history),
};
