import type { Violation } from '../violation.js';
import { isShown } from './check-lists.js';
import type { RegistryOperation } from './registry-operations.js';
import type { ServiceState } from './service-states.js';
import { WHOLE } from './shown.js';

/** S1: a linearizable discover shows the service as it was at some time between question and answer. */
export function checkReads(
  history: readonly RegistryOperation[],
  states: readonly ServiceState[],
): Violation[] {
  const showing = { shown: WHOLE, holds: false };
  const places = new Map<string, number>();
  return history.flatMap((operation): Violation[] => {
    if (operation.name !== 'read' || operation.output === undefined) return [];
    const { process, invokedAt, output } = operation;
    // What was heard of by then had happened; and reads of one process are one after the other.
    const heard = states.findLastIndex(({ seenAt }) => seenAt < invokedAt);
    const from = Math.max(heard, places.get(process) ?? 0);
    const place = states.findIndex((state, i) => i >= from && isShown(output.instances, state, showing));
    if (place >= 0) {
      places.set(process, place);
      return [];
    }
    const what = `${process} read [${output.instances.join(', ')}]`;
    return [
      {
        invariant: 'S1',
        what: `${what}, which the service was not since revision ${states[from]?.revision}`,
      },
    ];
  });
}
