import type { Violation } from '../violation.js';
import { type ConfigOperation, isValid, type Setting } from './config-operations.js';

/**
 * M1: what a manager shows is always valid, was written as it is, and is never older than what it has
 * shown; and in the end it shows the last value.
 */
export function checkManagers(history: readonly ConfigOperation[], log: readonly Setting[]): Violation[] {
  const violations: Violation[] = [];
  const complain = (what: string) => violations.push({ invariant: 'M1', what });
  const places = new Map(log.map(({ id }, place) => [id, place]));
  const shown = new Map<string, number>();
  for (const { process, name, output } of history) {
    if (name === 'write' || output === undefined) continue;
    const { id } = output;
    const place = id === '' ? -1 : places.get(id); // the defaults come before everything
    if (!isValid(output)) complain(`${process} showed ${id}, which is not valid`);
    if (place === undefined) {
      complain(`${process} showed ${id}, which was never written`);
      continue;
    }
    const written = log[place];
    if (written && (written.low !== output.low || written.high !== output.high))
      complain(`${process} showed ${id} other than it was written`);
    const before = shown.get(process) ?? -1;
    if (place < before) complain(`${process} showed ${id || 'the defaults'} after ${log[before]?.id}`);
    shown.set(process, place);
    if (name === 'over' && !output.last)
      complain(`${process} ended with ${id || 'the defaults'}, not with the last value`);
  }
  return violations;
}
