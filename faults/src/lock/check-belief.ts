import type { EtcdEvent } from '../etcd-event.js';
import type { Violation } from '../violation.js';
import type { LockOperation } from './lock-operations.js';

/**
 * L3: nobody who asks its own clock is told that it holds the lock when that has passed on: when
 * another had been granted a later token by then, or its key was known to be gone from etcd. Who was
 * ousted can only be told of it: that is L4's.
 */
export function checkBelief(
  history: readonly LockOperation[],
  log: readonly EtcdEvent[],
  queuePrefix: string,
): Violation[] {
  const grants = history.flatMap(({ name, output, returnedAt }) =>
    name === 'acquire' && output !== undefined ? [{ token: output.token, at: returnedAt }] : [],
  );
  const gone = endsOfKeys(log, queuePrefix);
  const ousted = new Set(history.flatMap(({ name, input }) => (name === 'oust' ? [input.token] : [])));
  return history.flatMap((operation): Violation[] => {
    if (operation.name !== 'believe' || operation.output?.holds !== true) return [];
    const { token } = operation.input;
    if (ousted.has(token)) return [];
    const who = `${operation.process} believed in token ${token}`;
    const next = grants.find((grant) => grant.token > token && grant.at < operation.invokedAt);
    const goneAt = gone.get(token) ?? Number.POSITIVE_INFINITY;
    return [
      ...(next ? [{ invariant: 'L3', what: `${who} when ${next.token} had been granted` }] : []),
      ...(goneAt < operation.invokedAt ? [{ invariant: 'L3', what: `${who} when its key was gone` }] : []),
    ];
  });
}

/** When the key of each token was seen to be deleted. */
export function endsOfKeys(log: readonly EtcdEvent[], prefix: string): Map<number, number> {
  const tokens = new Map<string, number>();
  const ends = new Map<number, number>();
  for (const { type, key, createRevision, seenAt } of log) {
    if (!key.startsWith(prefix)) continue;
    const token = tokens.get(key);
    if (type === 'put') tokens.set(key, createRevision);
    else if (token !== undefined) ends.set(token, seenAt);
  }
  return ends;
}
