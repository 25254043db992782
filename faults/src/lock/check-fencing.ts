import { checkChain } from '../check-chain.js';
import type { EtcdEvent } from '../etcd-event.js';
import type { Violation } from '../violation.js';
import type { Entry, LockOperation } from './lock-operations.js';

export interface LockKeys {
  /** Under it each contender has a key; the oldest holds the lock, and its create revision is the token. */
  readonly queuePrefix: string;
  /** Holds an `Entry`. */
  readonly dataKey: string;
}

/**
 * L1: at the revision of each write its token was that of the queue's head, and tokens never fall.
 * L2: each write stands on the one before it, so no update is lost; what was acknowledged is there
 * once, and what failed is not. L5: no key stays in the queue.
 */
export function checkFencing(
  history: readonly LockOperation[],
  log: readonly EtcdEvent[],
  { queuePrefix, dataKey }: LockKeys,
): Violation[] {
  const violations: Violation[] = [];
  const complain = (invariant: string, what: string) => violations.push({ invariant, what });
  const queue = new Map<string, number>();
  const entries: Entry[] = [];
  for (const { type, key, value, revision, createRevision } of log) {
    if (key.startsWith(queuePrefix)) {
      if (type === 'put') queue.set(key, createRevision);
      else queue.delete(key);
    } else if (key === dataKey && type === 'put') {
      const entry: Entry = JSON.parse(value);
      const { id, token } = entry;
      const head = Math.min(...queue.values());
      if (token !== head)
        complain('L1', `${id} was written at ${revision} with token ${token}, the head was ${head}`);
      const before = entries.at(-1)?.token ?? 0;
      if (token < before) complain('L1', `${id} was written with token ${token} after ${before}`);
      entries.push(entry);
    }
  }
  for (const [key] of queue) complain('L5', `${key} stays in the queue`);
  const attempts = history.flatMap(({ name, input, outcome }) =>
    name === 'write' ? [{ id: input.id, outcome }] : [],
  );
  return [...violations, ...checkChain('L2', entries, attempts), ...checkGrants(history)];
}

/** No token is granted twice. */
function checkGrants(history: readonly LockOperation[]): Violation[] {
  const holders = new Map<number, string>();
  const violations: Violation[] = [];
  for (const { name, process, output } of history) {
    if (name !== 'acquire' || output === undefined) continue;
    const other = holders.get(output.token);
    if (other !== undefined)
      violations.push({
        invariant: 'L1',
        what: `token ${output.token} was granted to ${other} and ${process}`,
      });
    holders.set(output.token, process);
  }
  return violations;
}
