import type { EtcdEvent } from '../etcd-event.js';
import { seenValue } from '../seen-value.js';
import type { Violation } from '../violation.js';
import type { SeenEvent } from './watch-operations.js';
import type { WatchRecord } from './watch-record.js';

/** One revision of etcd's log: all that one transaction has changed under a prefix. */
interface Revision {
  readonly revision: number;
  readonly events: SeenEvent[];
}

type State = ReadonlyMap<string, string>;

/**
 * W1: a watch is told of exactly the revisions of etcd's log from its first to the last, each once, whole and in order,
 * over any number of reconnects; and after a compaction of the state as it was at the revision that it is told.
 */
export function checkWatches(records: readonly WatchRecord[], log: readonly EtcdEvent[]): Violation[] {
  return records.flatMap((record) => checkWatch(record, revisionsOf(log, record.prefix)));
}

function checkWatch(record: WatchRecord, revisions: readonly Revision[]): Violation[] {
  const violations: Violation[] = [];
  const complain = (what: string) =>
    violations.push({ invariant: 'W1', what: `${record.watch} (${record.resync}): ${what}` });
  const expected = revisions.filter(({ revision }) => revision >= record.from);
  const state = new Map<string, string>();
  let before = 0;
  let position = 0;
  for (const { revision, resync, events } of record.batches) {
    if (revision <= before) complain(`revision ${revision} comes after ${before}`);
    before = revision;
    if (resync && record.resync === 'snapshot') state.clear();
    apply(state, events);
    if (resync) {
      while ((expected[position]?.revision ?? revision + 1) <= revision) position++;
      // A difference is one to the keys that it has seen since its start; a snapshot has every key.
      const since = record.resync === 'snapshot' ? 0 : record.from;
      if (!same(state, stateAt(revisions, since, revision)))
        complain(`revision ${revision} is a resync to a wrong state`);
      continue;
    }
    for (let next = expected[position]; next && next.revision < revision; next = expected[++position])
      complain(`revision ${next.revision} is missing, ${revision} is there`);
    const next = expected[position];
    if (next?.revision !== revision) complain(`revision ${revision} is not expected (any more)`);
    else {
      position++;
      if (JSON.stringify(events) !== JSON.stringify(next.events))
        complain(`revision ${revision} is not whole`);
    }
  }
  const { over } = record;
  const refused = over?.error === 'CompactedError' && record.resync === 'error';
  if (over?.error !== undefined && !refused) complain(`it ended with ${over.error}`);
  if (over !== undefined && !refused) {
    for (const { revision } of expected.slice(position))
      complain(`revision ${revision} is missing at the end`);
  }
  return violations;
}

function revisionsOf(log: readonly EtcdEvent[], prefix: string): Revision[] {
  const revisions: Revision[] = [];
  for (const { revision, type, key, value } of log) {
    if (!key.startsWith(prefix)) continue;
    if (revisions.at(-1)?.revision !== revision) revisions.push({ revision, events: [] });
    revisions.at(-1)?.events.push([type, key, seenValue(value)]);
  }
  return revisions;
}

function apply(state: Map<string, string>, events: readonly SeenEvent[]): void {
  for (const [type, key, value] of events) {
    if (type === 'put') state.set(key, value);
    else state.delete(key);
  }
}

function stateAt(revisions: readonly Revision[], from: number, to: number): State {
  const state = new Map<string, string>();
  for (const { revision, events } of revisions) if (revision >= from && revision <= to) apply(state, events);
  return state;
}

function same(a: State, b: State): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}
