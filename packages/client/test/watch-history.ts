import type { WatchBatch } from '../src/index.js';

/** A change as etcd's log has it. */
export interface LoggedEvent {
  readonly type: 'put' | 'delete';
  readonly key: string;
  /** Empty for a delete. */
  readonly value: string;
}

/** One revision of etcd's log: all that one transaction has changed. */
export interface LoggedRevision {
  readonly revision: bigint;
  readonly events: readonly LoggedEvent[];
}

/** A watch, and what it has delivered. */
export interface Observed {
  readonly name: string;
  readonly covers: (key: string) => boolean;
  /** Everything from this revision on must be there. */
  readonly from: bigint;
  /** Everything up to this revision must be there; the watch was read at least so far. */
  readonly to: bigint;
  readonly resync: 'difference' | 'snapshot';
  readonly batches: readonly WatchBatch[];
}

/**
 * Compares what a watch has delivered with etcd's log, and returns what is wrong with it: revisions
 * out of order, missing, twice, not whole, or not there at all; and after a resync a state that is
 * not the log's.
 */
export function problemsOf(log: readonly LoggedRevision[], observed: Observed): string[] {
  const { name, covers, from, to, batches } = observed;
  const problems: string[] = [];
  const complain = (revision: bigint, what: string) => problems.push(`${name}: revision ${revision} ${what}`);
  /** What is still to come, in order. */
  const expected = log
    .map(({ revision, events }) => ({ revision, events: events.filter(({ key }) => covers(key)) }))
    .filter(({ revision, events }) => events.length > 0 && revision >= from);
  let state = new Map<string, string>();
  let before = 0n;
  let position = 0;
  for (const batch of batches) {
    const { revision, resync } = batch;
    if (revision <= before) complain(revision, `comes after ${before}`);
    before = revision;
    const seen = batch.events.map(({ type, key, kv }) => ({ type, key, value: kv.text() }));
    if (resync && observed.resync === 'snapshot') state = new Map();
    apply(state, seen);
    if (resync) {
      while ((expected[position]?.revision ?? revision + 1n) <= revision) position++;
      // A difference is one to the keys seen since the start; a snapshot has every key.
      const since = observed.resync === 'snapshot' ? 0n : from;
      if (!sameState(state, stateOf(log, since, revision, covers)))
        complain(revision, 'is a resync to a wrong state');
      continue;
    }
    for (let next = expected[position]; next && next.revision < revision; next = expected[++position]) {
      complain(next.revision, `is missing, ${revision} is there`);
    }
    const next = expected[position];
    if (next?.revision !== revision) complain(revision, 'is not expected (any more)');
    else {
      position++;
      if (!sameEvents(seen, next.events)) complain(revision, 'is not whole');
    }
  }
  for (let next = expected[position]; next && next.revision <= to; next = expected[++position]) {
    complain(next.revision, 'is missing at the end');
  }
  return problems;
}

function apply(state: Map<string, string>, events: readonly LoggedEvent[]): void {
  for (const { type, key, value } of events) {
    if (type === 'put') state.set(key, value);
    else state.delete(key);
  }
}

function stateOf(
  log: readonly LoggedRevision[],
  from: bigint,
  to: bigint,
  covers: (key: string) => boolean,
): Map<string, string> {
  const state = new Map<string, string>();
  for (const { revision, events } of log) {
    if (revision < from || revision > to) continue;
    apply(
      state,
      events.filter(({ key }) => covers(key)),
    );
  }
  return state;
}

function sameEvents(a: readonly LoggedEvent[], b: readonly LoggedEvent[]): boolean {
  const text = (events: readonly LoggedEvent[]) =>
    JSON.stringify(events.map((e) => [e.type, e.key, e.value]));
  return text(a) === text(b);
}

function sameState(a: Map<string, string>, b: Map<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}
