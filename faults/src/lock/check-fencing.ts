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
  const written = new Map<string, number>();
  let before: Entry = { id: '', read: '', token: 0 };
  for (const { type, key, value, revision, createRevision } of log) {
    if (key.startsWith(queuePrefix)) {
      if (type === 'put') queue.set(key, createRevision);
      else queue.delete(key);
    } else if (key === dataKey && type === 'put') {
      const entry: Entry = JSON.parse(value);
      const head = Math.min(...queue.values());
      if (entry.token !== head)
        complain(
          'L1',
          `${entry.id} was written at ${revision} with token ${entry.token}, the head was ${head}`,
        );
      if (entry.token < before.token)
        complain('L1', `${entry.id} was written with token ${entry.token} after ${before.token}`);
      if (entry.read !== before.id)
        complain(
          'L2',
          `${entry.id} had read ${entry.read || 'nothing'}, and replaced ${before.id || 'nothing'}`,
        );
      written.set(entry.id, (written.get(entry.id) ?? 0) + 1);
      before = entry;
    }
  }
  for (const [key] of queue) complain('L5', `${key} stays in the queue`);
  return [...violations, ...checkOutcomes(history, written), ...checkGrants(history)];
}

/** What a writer was told, against how often its write is in the log. */
function checkOutcomes(history: readonly LockOperation[], written: ReadonlyMap<string, number>): Violation[] {
  const violations: Violation[] = [];
  const complain = (what: string) => violations.push({ invariant: 'L2', what });
  const known = new Set<string>();
  for (const operation of history) {
    if (operation.name !== 'write') continue;
    const { id } = operation.input;
    const times = written.get(id) ?? 0;
    known.add(id);
    if (times > 1) complain(`${id} was written ${times} times`);
    if (operation.outcome === 'ok' && times === 0) complain(`${id} was acknowledged, and never written`);
    if (operation.outcome === 'failed' && times > 0) complain(`${id} had failed, and was written`);
  }
  for (const id of written.keys()) if (!known.has(id)) complain(`${id} was written by nobody`);
  return violations;
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
