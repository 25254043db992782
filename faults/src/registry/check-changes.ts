import type { Violation } from '../violation.js';
import type { ServiceState } from './service-states.js';
import { WHOLE } from './shown.js';

/** What a stream of changes has told of one instance. */
export interface ToldChange {
  readonly id: string;
  readonly now?: string;
  readonly previous?: string;
}

/** S1: of each instance a stream tells only what it was, in that order, and each change follows from the one before. */
export function checkChanges(
  view: string,
  changes: readonly ToldChange[],
  states: readonly ServiceState[],
): Violation[] {
  const violations: Violation[] = [];
  const complain = (what: string) => violations.push({ invariant: 'S1', what: `${view} told ${what}` });
  const told = new Map<string, { readonly now: string | undefined; readonly place: number }>();
  for (const { id, now, previous } of changes) {
    const before = told.get(id) ?? { now: undefined, place: 0 };
    if (previous !== before.now) complain(`${now ?? `the end of ${id}`} after ${previous ?? 'nothing'}`);
    if (now === before.now) complain(`${now ?? `the end of ${id}`} twice`);
    const place = states.findIndex((state, i) => i >= before.place && textOf(state, id) === now);
    if (place < 0) complain(`${now ?? `the end of ${id}`}, which it was not then`);
    told.set(id, { now, place: Math.max(place, before.place) });
  }
  return violations;
}

function textOf(state: ServiceState, id: string): string | undefined {
  const instance = state.instances.get(id);
  return instance && WHOLE(instance);
}
