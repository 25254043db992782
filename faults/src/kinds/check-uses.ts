import type { EtcdEvent } from '../etcd-event.js';
import type { Violation } from '../violation.js';
import { type KindKeys, PERMITS } from './kinds-names.js';
import type { KindOperation, Use } from './kinds-operations.js';

/** Keys by their names, with their create revisions. */
type Queue = Map<string, number>;

interface Queues {
  readonly mutex: Queue;
  readonly requests: Queue;
  readonly writers: Queue;
  readonly permits: Queue;
}

/**
 * L6: each write of a holder was made while it could hold the lock, as etcd's log has the queues at that
 * revision: a mutex at the head, a reader without a writer before it, a writer with nobody before it,
 * permits up to as many as there are. What was acknowledged is there, and what was refused is not.
 */
export function checkUses(
  history: readonly KindOperation[],
  log: readonly EtcdEvent[],
  keys: KindKeys,
): Violation[] {
  const complaints: string[] = [];
  const queues: Queues = { mutex: new Map(), requests: new Map(), writers: new Map(), permits: new Map() };
  const written = new Set<string>();
  for (const { type, key, value, revision, createRevision } of log) {
    if (key === keys.data && type === 'put') {
      const use: Use = JSON.parse(value);
      written.add(use.id);
      const objection = objectionTo(use, queues, keys);
      if (objection !== undefined)
        complaints.push(`${use.id} was a ${use.kind} at ${revision}, but ${objection}`);
    }
    for (const name of ['mutex', 'requests', 'writers', 'permits'] as const) {
      if (!key.startsWith(keys[name])) continue;
      if (type === 'put') queues[name].set(key, createRevision);
      else queues[name].delete(key);
    }
  }
  for (const { name, input, outcome } of history) {
    if (name !== 'use') continue;
    if (outcome === 'ok' && !written.has(input.id))
      complaints.push(`${input.id} was acknowledged, and never written`);
    if (outcome === 'failed' && written.has(input.id))
      complaints.push(`${input.id} had failed, and was written`);
  }
  const stays = Object.values(queues).flatMap((queue) => [...queue.keys()]);
  return [
    ...complaints.map((what) => ({ invariant: 'L6', what })),
    ...stays.map((key) => ({ invariant: 'L5', what: `${key} stays in the queue` })),
  ];
}

function objectionTo(use: Use, queues: Queues, keys: KindKeys): string | undefined {
  const { kind, key, token } = use;
  if (kind === 'mutex') {
    const head = Math.min(...queues.mutex.values());
    return queues.mutex.get(key) === head && head === token
      ? undefined
      : `${head} was at the head, not ${token}`;
  }
  const own = (kind === 'permit' ? queues.permits : queues.requests).get(key);
  if (own === undefined) return 'its key was gone';
  if (kind === 'permit') {
    const taken = [...queues.permits].reduce((sum, [each, at]) => sum + (at <= own ? weightOf(each) : 0), 0);
    return own === token && taken <= PERMITS
      ? undefined
      : `${taken} permits of ${PERMITS} were taken up to it`;
  }
  if (kind === 'read') {
    const writer = Math.min(...queues.writers.values());
    return own === token && writer > own ? undefined : `writer ${writer} was before ${own}`;
  }
  const ownWrite = queues.writers.get(`${keys.writers}${key.slice(keys.requests.length)}`);
  const first = Math.min(...queues.requests.values());
  return ownWrite === token && first === own ? undefined : `${first} was before ${own}`;
}

function weightOf(key: string): number {
  return Number(key.slice(key.lastIndexOf('.') + 1));
}
