import type { EtcdEvent } from '../etcd-event.js';
import type { Violation } from '../violation.js';
import type { KindOperation } from './kinds-operations.js';

/**
 * L6: nobody but its holder gives a lock up. A key that goes while it is held goes with its lease, and
 * then every other key of that lease goes at the same revision.
 */
export function checkRemovals(history: readonly KindOperation[], log: readonly EtcdEvent[]): Violation[] {
  const grants = new Map<string, { readonly by: string; readonly at: number }>();
  const ends = new Map<string, number>();
  for (const { name, input, output, invokedAt, returnedAt } of history) {
    if ((name === 'acquire' || name === 'enter') && output !== undefined && !grants.has(output.key))
      grants.set(output.key, { by: input.by, at: returnedAt });
    const endsIt = name === 'release' || (name === 'lost' && output?.deleted === false);
    if (endsIt) ends.set(input.key, Math.min(invokedAt, ends.get(input.key) ?? Number.POSITIVE_INFINITY));
  }
  const present = new Set<string>();
  const violations: Violation[] = [];
  for (const events of byRevision(log)) {
    for (const { type, key } of events) {
      if (type === 'put') present.add(key);
      else present.delete(key);
    }
    for (const { type, key, seenAt } of events) {
      const grant = grants.get(key);
      if (type !== 'delete' || grant === undefined || grant.at > seenAt) continue;
      if ((ends.get(key) ?? Number.POSITIVE_INFINITY) <= seenAt) continue;
      const lease = leaseOf(key);
      const other = [...present].find((each) => leaseOf(each) === lease);
      if (other !== undefined)
        violations.push({
          invariant: 'L6',
          what: `${key} of ${grant.by} was removed by somebody else: ${other} of its lease stays`,
        });
    }
  }
  return violations;
}

function byRevision(log: readonly EtcdEvent[]): EtcdEvent[][] {
  const groups: EtcdEvent[][] = [];
  for (const event of log) {
    const last = groups.at(-1);
    if (last?.[0]?.revision === event.revision) last.push(event);
    else groups.push([event]);
  }
  return groups;
}

/** A key in a queue ends with `/<lease>-<nonce>`. */
function leaseOf(key: string): string | undefined {
  return /\/([0-9a-f]+)-[^/]*$/.exec(key)?.[1];
}
