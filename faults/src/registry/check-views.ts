import type { EtcdEvent } from '../etcd-event.js';
import type { FaultEntry } from '../run/fault-log.js';
import type { Violation } from '../violation.js';
import { checkChanges, type ToldChange } from './check-changes.js';
import { checkLists, isShown, type ShownList } from './check-lists.js';
import { checkReads } from './check-reads.js';
import { QuietTime } from './quiet-time.js';
import type { RegistryOperation } from './registry-operations.js';
import { statesOf } from './service-states.js';
import { stallsOf } from './stalls.js';
import { showingOf } from './views.js';

export interface ViewsReport {
  readonly violations: readonly Violation[];
  /** In microseconds. */
  readonly behind: readonly number[];
}

interface View {
  readonly lists: ShownList[];
  readonly changes: ToldChange[];
  over:
    | { readonly revision: number; readonly instances?: readonly string[]; readonly error?: string }
    | undefined;
}

/** S1: of every view of every seeker, also that its last list is the last state; and of all linearizable reads. */
export function checkViews(
  {
    history,
    log,
    faults,
  }: { history: readonly RegistryOperation[]; log: readonly EtcdEvent[]; faults: readonly FaultEntry[] },
  instancePrefix: string,
): ViewsReport {
  const states = statesOf(log, instancePrefix);
  const quiet = new QuietTime([...faults, ...stallsOf(history)]);
  const behind: number[] = [];
  const violations = checkReads(history, states);
  for (const [view, { lists, changes, over }] of viewsOf(history)) {
    const showing = showingOf(view);
    const report = checkLists(view, lists, { states, showing, quiet });
    violations.push(...report.violations, ...checkChanges(view, changes, states));
    behind.push(...report.behind);
    if (over === undefined) continue; // its process was killed
    const { revision, instances, error } = over;
    const last = states.findLastIndex((state) => state.revision <= revision);
    const isLast = states.some((state, i) => i >= last && isShown(instances ?? [], state, showing));
    const what = error === undefined ? `ended with [${instances?.join(', ')}]` : `ended by itself: ${error}`;
    if (error !== undefined || revision === 0 || instances === undefined || !isLast)
      violations.push({ invariant: 'S1', what: `${view} ${what}, at ${revision}` });
  }
  return { violations, behind };
}

function viewsOf(history: readonly RegistryOperation[]): Map<string, View> {
  const views = new Map<string, View>();
  for (const { name, process, input, output, invokedAt } of history) {
    if (output === undefined || (name !== 'list' && name !== 'change' && name !== 'over')) continue;
    const view = views.get(input.view) ?? { lists: [], changes: [], over: undefined };
    views.set(input.view, view);
    if (name === 'list') view.lists.push({ ...output, process, at: invokedAt });
    else if (name === 'change') view.changes.push({ id: input.id, ...output });
    else if (view.over?.error === undefined) view.over = { revision: input.revision, ...output };
  }
  return views;
}
