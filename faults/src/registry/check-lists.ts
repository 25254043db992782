import type { Violation } from '../violation.js';
import type { QuietTime } from './quiet-time.js';
import type { ServiceState } from './service-states.js';
import type { Showing } from './shown.js';

/** A list that somebody was shown. */
export interface ShownList {
  readonly process: string;
  readonly at: number;
  /** It is no newer than this revision of etcd; Infinity: nobody knows. */
  readonly revision: number;
  readonly instances: readonly string[];
}

/** How long a list may be behind while nothing fails: time to notice what had failed, on a machine that is very busy. How long it was is counted. */
export const BEHIND_AT_MOST_MS = 30_000;

export interface ViewReport {
  readonly violations: readonly Violation[];
  /** How long it has shown what was so no more, each time while nothing failed, in microseconds. */
  readonly behind: readonly number[];
}

/**
 * S1: each list that a view has shown is the service as it was at some revision, and never one from before the
 * list that was shown before. So it is empty only if the service was, whatever became of connections and
 * revisions. And no list stays for long when the service has become another.
 */
export function checkLists(
  view: string,
  lists: readonly ShownList[],
  { states, showing, quiet }: { states: readonly ServiceState[]; showing: Showing; quiet: QuietTime },
): ViewReport {
  const violations: Violation[] = [];
  const complain = (what: string) => violations.push({ invariant: 'S1', what: `${view} showed ${what}` });
  const behind: number[] = [];
  let from = 0;
  for (const [i, list] of lists.entries()) {
    const until = states.findLastIndex(({ revision }) => revision <= list.revision);
    const fits = (place: number) => isShown(list.instances, states[place], showing);
    const place = firstFrom(from, until, fits);
    if (place === undefined) {
      const what = list.instances.length === 0 ? 'an empty list' : `[${list.instances.join(', ')}]`;
      const since = states[from]?.revision;
      const wasSo = firstFrom(0, from - 1, fits) !== undefined;
      complain(
        wasSo ? `${what} of before revision ${since}` : `${what}, which it was at no revision since ${since}`,
      );
      continue;
    }
    from = place;
    const next = lists[i + 1];
    if (next === undefined) continue;
    const since = staleSince(list.instances, next.at, { states, place, showing });
    if (since === undefined) continue;
    const micros = quiet.between(since, next.at, list.process);
    behind.push(micros);
    if (micros > BEHIND_AT_MOST_MS * 1_000)
      complain(`what was so no more for ${Math.round(micros / 1_000)} ms in which nothing failed`);
  }
  return { violations, behind };
}

function firstFrom(from: number, until: number, fits: (place: number) => boolean): number | undefined {
  for (let place = Math.max(0, from); place <= until; place++) if (fits(place)) return place;
  return undefined;
}

/** Since when the list has not been the service any more, at that time. */
function staleSince(
  instances: readonly string[],
  at: number,
  { states, place, showing }: { states: readonly ServiceState[]; place: number; showing: Showing },
): number | undefined {
  let since: number | undefined;
  for (const state of states.slice(place + 1)) {
    if (state.seenAt >= at) break;
    if (isShown(instances, state, showing)) since = undefined;
    else since ??= state.seenAt;
  }
  return since;
}

/** Whether a list is what has to be shown of a state. */
export function isShown(
  instances: readonly string[],
  state: ServiceState | undefined,
  { shown, holds }: Showing,
): boolean {
  if (state === undefined) return false;
  const present = [...state.instances.values()].flatMap((each) => shown(each) ?? []);
  const missing = present.filter((each) => !instances.includes(each));
  if (missing.length > 0) return false;
  const others = instances.filter((each) => !present.includes(each));
  if (others.length === 0) return instances.length === present.length;
  const isCalled = [...state.instances.values()].some(
    ({ health, leaving }) => health === 'healthy' && !leaving,
  );
  if (!holds || isCalled) return false;
  const held = [...state.vanished.values()].map((each) => shown(each));
  return others.every((each) => held.includes(each));
}
