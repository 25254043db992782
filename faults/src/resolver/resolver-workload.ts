import { checkLists, isShown, type ShownList } from '../registry/check-lists.js';
import { QuietTime } from '../registry/quiet-time.js';
import { statesOf } from '../registry/service-states.js';
import { ADDRESS } from '../registry/shown.js';
import { stallsOf } from '../registry/stalls.js';
import { LINE_FAULTS } from '../run/cluster-faults.js';
import type { RunFolder } from '../run/run-folder.js';
import type { Figures, Workload } from '../run/workload.js';
import type { Violation } from '../violation.js';
import { checkCalls } from './check-calls.js';
import { serverPrefix } from './resolver-names.js';
import type { ResolverOperation } from './resolver-operations.js';

export const RESOLVER: Workload = {
  name: 'resolver',
  about: 'gRPC servers that come and go, and callers that find them',
  workers: 5,
  faults: [
    ...LINE_FAULTS,
    ...(['leader killed', 'leader frozen', 'member restarted', 'all killed', 'all killed'] as const),
    ...(['compaction', 'compaction'] as const),
  ],
  hooks: {
    faults: ['kill', 'freeze', 'compaction', 'cut'],
    rate: 0.05,
    progress: { name: 'call', times: 120 },
  },
  plants: [
    {
      variant: 'stops before it drains',
      about: 'a server stops before callers have heard that it departs',
      breaks: 'S2',
      only: { workers: 4, point: 'before a call', faults: ['freeze'] },
    },
    {
      variant: 'empty on disconnect',
      about: 'a channel is given no addresses while the connection to etcd is lost',
      breaks: 'S1',
      only: { workers: 4, point: 'before a call', faults: ['cut'] },
    },
  ],
  keeps: (key, run) => key.startsWith(serverPrefix(run)),
  passes: (key, run) => key.startsWith(serverPrefix(run)),
  check: (folder) => {
    const { history, faults } = folder.evidence<ResolverOperation>();
    const nothing = history.some(({ name, output }) => name === 'call' && output?.code === 0)
      ? []
      : [{ invariant: 'S2', what: 'no call was fine: nothing is shown by that' }];
    return [...nothing, ...checkGiven(folder).violations, ...checkCalls(history, faults).violations];
  },
  figures,
};

/** S1: the addresses that channels were given. */
function checkGiven(folder: RunFolder) {
  const { run, history, log, faults } = folder.evidence<ResolverOperation>();
  const states = statesOf(log, serverPrefix(run));
  const quiet = new QuietTime([...faults, ...stallsOf(history)]);
  const showing = { shown: ADDRESS, holds: true };
  const given = new Map<string, ShownList[]>();
  const violations: Violation[] = [];
  for (const { name, process, input, output, invokedAt: at } of history) {
    if (output === undefined) continue;
    if (name === 'list')
      given.set(input.view, [...(given.get(input.view) ?? []), { ...output, process, at }]);
    if (name !== 'over') continue;
    const last = states.findLastIndex(({ revision }) => revision <= input.revision);
    const isLast = states.some((state, i) => i >= last && isShown(output.instances, state, showing));
    if (input.revision === 0 || !isLast) {
      const what = `${input.view} ended with [${output.instances.join(', ')}], at ${input.revision}`;
      violations.push({ invariant: 'S1', what });
    }
  }
  const behind: number[] = [];
  for (const [view, lists] of given) {
    const report = checkLists(view, lists, { states, showing, quiet });
    violations.push(...report.violations);
    behind.push(...report.behind);
  }
  return { violations, behind };
}

function figures(folder: RunFolder): Figures {
  const { history, faults } = folder.evidence<ResolverOperation>();
  const done = (name: ResolverOperation['name']) =>
    history.filter((operation) => operation.name === name && operation.outcome === 'ok').length;
  const { explained } = checkCalls(history, faults);
  const { behind } = checkGiven(folder);
  return {
    'servers that came': done('serve'),
    'departures, drained': done('depart'),
    'lists given to channels': done('list'),
    'longest time a list was behind, ms': Math.round(Math.max(0, ...behind) / 1_000),
    calls: done('call'),
    'calls failed, server was killed': explained.get('server was killed') ?? 0,
    'calls failed, server was frozen': explained.get('server was frozen') ?? 0,
    'calls failed, caller was frozen': explained.get('caller was frozen') ?? 0,
    'calls failed, clock was set': explained.get('clock was set') ?? 0,
    'calls failed, departure was unheard of': explained.get('departure was unheard of') ?? 0,
    'calls failed, nobody was there': explained.get('nobody was there') ?? 0,
  };
}
