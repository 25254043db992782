import { LINE_FAULTS } from '../run/cluster-faults.js';
import type { Narrow } from '../run/run-folder.js';
import type { Workload } from '../run/workload.js';
import { checkKeys } from './check-keys.js';
import { checkBelief, checkLosses, longestToTellMs, renewedByEtcd } from './check-sessions.js';
import { sessionPrefix } from './session-names.js';
import type { SessionOperation } from './session-operations.js';

const FROZEN: Narrow = { workers: 2, point: 'before a keepalive', faults: ['freeze'] };

export const SESSION: Workload = {
  name: 'session',
  about: 'processes that hold sessions with a key on each, and ask them how long they last',
  workers: 4,
  faults: [
    ...LINE_FAULTS,
    ...(['leader moved', 'leader killed', 'leader frozen', 'member restarted', 'all killed'] as const),
  ],
  hooks: {
    faults: ['freeze', 'freeze amid', 'kill', 'lost answer', 'cut'],
    rate: 0.03,
    progress: { name: 'ask', times: 200 },
  },
  plants: [
    {
      variant: 'wall clock',
      about: 'a session believes in its lease by a deadline of the wall clock',
      breaks: 'T1',
      only: FROZEN,
    },
    {
      variant: 'from the answer',
      about: 'a session counts its TTL from the answer of a keepalive, not from its sending',
      breaks: 'T1',
      only: FROZEN,
    },
    {
      variant: 'deaf',
      about: "a holder does not listen to its session's signal",
      breaks: 'T2',
      only: { ...FROZEN, point: 'after opening' },
    },
    {
      variant: 'no lease',
      about: 'a key is not put on the lease of its session',
      breaks: 'T3',
      only: FROZEN,
    },
  ],
  keeps: (key, run) => key.startsWith(sessionPrefix(run)),
  passes: (key, run) => key.startsWith(sessionPrefix(run)),
  check: (folder) => {
    const evidence = folder.evidence<SessionOperation>();
    return [...checkBelief(evidence), ...checkLosses(evidence), ...checkKeys(evidence)];
  },
  figures: (folder) => {
    const evidence = folder.evidence<SessionOperation>();
    const count = (wanted: SessionOperation['name']) =>
      evidence.history.filter(({ name, outcome }) => name === wanted && outcome === 'ok').length;
    return {
      sessions: count('open'),
      'renewals that were waited for': count('renew'),
      'questions whether a session is alive': count('ask'),
      'leases ended by others': count('revoke'),
      'losses told': count('lost'),
      'leases that had run out, and that etcd renewed': renewedByEtcd(evidence),
      'longest from the end of a key to the news of it (ms)': Math.round(longestToTellMs(evidence)),
    };
  },
};
