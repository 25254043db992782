import { LINE_FAULTS } from '../run/cluster-faults.js';
import type { Narrow, RunFolder } from '../run/run-folder.js';
import type { Figures, Workload } from '../run/workload.js';
import type { Violation } from '../violation.js';
import { BACK_WITHIN_MS, checkRegistrations, type RegistrationReport } from './check-registrations.js';
import { checkViews } from './check-views.js';
import { gonePrefix, instancePrefix } from './registry-names.js';
import type { RegistryOperation } from './registry-operations.js';
import { settledPrefix } from './settling.js';

const FROZEN_OWNER: Narrow = { workers: 4, point: 'between changes', faults: ['freeze'] };
const CUT_SEEKER: Narrow = { workers: 2, point: 'before a read', faults: ['cut'] };

export const REGISTRY: Workload = {
  name: 'registry',
  about: 'instances that come and go, and seekers of the service that they are of',
  workers: 5,
  faults: [
    ...LINE_FAULTS,
    ...(['leader moved', 'leader killed', 'leader frozen', 'member restarted', 'all killed'] as const),
    ...(['compaction', 'compaction'] as const),
  ],
  // Frozen for longer than the TTL.
  hooks: {
    faults: ['freeze', 'freeze amid', 'compaction', 'kill', 'lost answer', 'cut'],
    rate: 0.5,
    progress: { name: 'read', times: 130 },
  },
  plants: [
    {
      variant: 'late write',
      about: 'a registration lands in etcd after it was acknowledged to be gone',
      breaks: 'R1',
      only: FROZEN_OWNER,
    },
    {
      variant: 'backwards',
      about: 'a seeker shows the list from before the last change again',
      breaks: 'S1',
      only: FROZEN_OWNER,
    },
    {
      variant: 'bare lease',
      about: 'an instance is not registered again when its lease was lost',
      breaks: 'R1',
      only: FROZEN_OWNER,
    },
    {
      variant: 'empty on disconnect',
      about: 'a seeker shows nothing while the connection is lost',
      breaks: 'S1',
      only: CUT_SEEKER,
    },
  ],
  keeps: (key, run) =>
    [instancePrefix(run), gonePrefix(run), settledPrefix(run)].some((prefix) => key.startsWith(prefix)),
  passes: (key, run) => key.startsWith(instancePrefix(run)),
  check: (folder) => [...nothing(folder), ...registrations(folder).violations, ...views(folder).violations],
  figures,
};

/** A run in which nothing came about shows nothing. */
function nothing(folder: RunFolder): Violation[] {
  const { history } = folder.evidence<RegistryOperation>();
  const none = (name: RegistryOperation['name']) =>
    !history.some((operation) => operation.name === name && operation.outcome === 'ok');
  return [
    ...(none('register') ? [{ invariant: 'R1', what: 'nothing was registered' }] : []),
    ...(none('list') || none('read') ? [{ invariant: 'S1', what: 'no list was shown' }] : []),
  ];
}

function registrations(folder: RunFolder): RegistrationReport {
  const evidence = folder.evidence<RegistryOperation>();
  const { run } = evidence;
  return checkRegistrations(evidence, {
    instancePrefix: instancePrefix(run),
    gonePrefix: gonePrefix(run),
    settledPrefix: settledPrefix(run),
  });
}

function views(folder: RunFolder) {
  const evidence = folder.evidence<RegistryOperation>();
  return checkViews(evidence, instancePrefix(evidence.run));
}

function figures(folder: RunFolder): Figures {
  const { history } = folder.evidence<RegistryOperation>();
  const done = (name: RegistryOperation['name']) =>
    history.filter((operation) => operation.name === name && operation.outcome === 'ok').length;
  const { away } = registrations(folder);
  const { behind } = views(folder);
  return {
    registrations: done('register'),
    'departures acknowledged': done('leave'),
    'lost leases, and back': away.length,
    'back later than promised': away.filter((micros) => micros > BACK_WITHIN_MS * 1_000).length,
    'longest time away, ms': worstMs(away),
    'lists shown': done('list'),
    'of these while etcd was away': history.filter(
      ({ name, output }) => name === 'list' && output?.source === 'stale',
    ).length,
    'changes told': done('change'),
    'linearizable discovers': done('read'),
    'longest time a list was behind, ms': worstMs(behind),
  };
}

export function worstMs(micros: readonly number[]): number {
  return Math.round(Math.max(0, ...micros) / 1_000);
}
