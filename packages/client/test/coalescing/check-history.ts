import type { Op, TxnRequest } from '../../src/index.js';
import {
  type Effects,
  type Outcome,
  type Plain,
  runOp,
  runTxn,
  type Span,
  type State,
  spanOf,
} from './model.js';

/** A call as it was made: an operation by itself, or a transaction. */
export type Action = Exclude<Op, { txn: TxnRequest }> | { readonly txn: TxnRequest };

export interface CallRecord {
  readonly client: number;
  readonly action: Action;
  /** Moments on one clock: before another's `invoked` means finished before it began. */
  readonly invoked: number;
  readonly ended: number;
  readonly end:
    | { readonly type: 'answer'; readonly answer: Plain; readonly revision: bigint }
    | { readonly type: 'error'; readonly name: string; readonly outcome: 'not-applied' | 'unknown' };
  /** The errors that it may end with; empty = it has to be answered. */
  readonly mayFail: readonly string[];
  /** It has to end with one of them. */
  readonly mustFail: boolean;
  /** It may see the past. */
  readonly stale: boolean;
}

/** What etcd says has happened: the keys after each revision. */
export interface History {
  readonly start: bigint;
  readonly states: readonly { readonly revision: bigint; readonly state: State; readonly changed: Effects }[];
  /** Keys on this lease may go at any time: it was revoked meanwhile. */
  readonly revoked: bigint;
}

/**
 * Whether every call was answered as one by itself at its revision would have been, in the order of calls of
 * each client on each key, in real time across clients, and whether each change is that of exactly one call.
 *
 * @returns what is wrong
 */
export function checkHistory(records: readonly CallRecord[], history: History): readonly string[] {
  return new Checker(records, history).run();
}

interface Placed {
  readonly record: CallRecord;
  readonly revision: bigint;
  readonly changes: boolean;
}

class Checker {
  readonly #records: readonly CallRecord[];
  readonly #history: History;
  readonly #wrong: string[] = [];
  /** Keys changed at a revision, which no call has been found for yet. */
  readonly #unclaimed = new Map<bigint, Map<string, string>>();

  constructor(records: readonly CallRecord[], history: History) {
    this.#records = records;
    this.#history = history;
    for (const { revision, changed } of history.states) {
      this.#unclaimed.set(revision, new Map([...changed].map(([key, now]) => [key, print(now)])));
    }
  }

  run(): readonly string[] {
    const placed: Placed[] = [];
    for (const record of this.#records) {
      if (record.end.type === 'answer')
        placed.push(this.#answered(record, record.end.answer, record.end.revision));
      else this.#failed(record, record.end.name);
    }
    for (const record of this.#records) {
      if (record.end.type === 'error' && record.end.outcome === 'unknown') this.#claimUnknown(record);
    }
    this.#claimRevoked();
    for (const [revision, keys] of this.#unclaimed) {
      for (const [key, now] of keys) this.#say(`nobody made the change of ${key} to ${now} at ${revision}`);
    }
    this.#checkOrder(placed);
    return this.#wrong;
  }

  #answered(record: CallRecord, answer: Plain, revision: bigint): Placed {
    const changes = hasChanged(answer);
    const expected = evaluate(record.action, this.#stateAt(changes ? revision - 1n : revision), revision);
    if (record.mustFail)
      this.#say(`should have failed (${record.mayFail.join(' or ')}): ${describe(record)}`);
    if (print(expected.answer) !== print(answer)) {
      this.#say(`answered ${print(answer)} instead of ${print(expected.answer)}: ${describe(record)}`);
    } else if (!this.#claim(revision, expected.effects)) {
      this.#say(`its changes are not those of revision ${revision}: ${describe(record)}`);
    }
    return { record, revision, changes };
  }

  #failed(record: CallRecord, name: string): void {
    if (!record.mayFail.includes(name)) this.#say(`failed with ${name}: ${describe(record)}`);
  }

  /**
   * Finds the one revision at which it took effect, if it did. A value tells which it was, a deletion does
   * not: each may be that of any unknown call that would have made it.
   */
  #claimUnknown({ action }: CallRecord): void {
    for (const { revision, changed } of this.#history.states) {
      const { effects } = evaluate(action, this.#stateAt(revision - 1n), revision);
      const deletesOnly = [...effects.values()].every((now) => now === undefined);
      if (!deletesOnly && this.#claim(revision, effects)) return;
      const made = [...effects.keys()].every((key) => changed.has(key) && changed.get(key) === undefined);
      if (deletesOnly && made) for (const key of effects.keys()) this.#unclaimed.get(revision)?.delete(key);
    }
  }

  #claimRevoked(): void {
    for (const [revision, keys] of this.#unclaimed) {
      const before = this.#stateAt(revision - 1n);
      for (const [key, now] of keys) {
        if (now === print(undefined) && before.get(key)?.lease === this.#history.revoked) keys.delete(key);
      }
    }
  }

  #claim(revision: bigint, effects: Effects): boolean {
    if (effects.size === 0) return true;
    const unclaimed = this.#unclaimed.get(revision);
    if (unclaimed === undefined) return false;
    const before = this.#stateAt(revision - 1n);
    // A key put and deleted by nested transactions of one is told of by a watch, though it was not there before.
    const visible = [...effects].filter(([key, now]) => now !== undefined || before.has(key));
    if (!visible.every(([key, now]) => unclaimed.get(key) === print(now))) return false;
    for (const key of effects.keys()) unclaimed.delete(key);
    return true;
  }

  #checkOrder(placed: readonly Placed[]): void {
    for (const [i, first] of placed.entries()) {
      for (const second of placed.slice(i + 1)) {
        this.#checkPair(first, second);
        this.#checkPair(second, first);
      }
    }
  }

  #checkPair(first: Placed, second: Placed): void {
    const sameClient = first.record.client === second.record.client;
    const called = sameClient && first.record.invoked < second.record.invoked;
    const conflict = called && inConflict(first.record.action, second.record.action);
    const realTime = first.record.ended < second.record.invoked && !second.record.stale;
    if (!conflict && !realTime) return;
    // A change comes after all that was before it, and does not share its revision with what it meets.
    const wrong = second.changes ? second.revision <= first.revision : second.revision < first.revision;
    if (!wrong) return;
    const how = conflict ? 'in the order of calls' : 'in real time';
    this.#say(
      `${first.revision} was to be before ${second.revision} ${how}: ${describe(first.record)}, ${describe(second.record)}`,
    );
  }

  #stateAt(revision: bigint): State {
    const { states } = this.#history;
    return states.findLast((each) => each.revision <= revision)?.state ?? new Map();
  }

  #say(what: string): void {
    this.#wrong.push(what);
  }
}

function evaluate(action: Action, state: State, revision: bigint): Outcome {
  return 'txn' in action ? runTxn(action.txn, state, revision) : runOp(action, state, revision);
}

function hasChanged(answer: Plain): boolean {
  if (answer.type === 'put') return true;
  if (answer.type === 'delete') return Number(answer.deleted) > 0;
  const { responses } = answer;
  return Array.isArray(responses) && responses.some((each: Plain) => hasChanged(each));
}

interface Uses {
  readonly reads: Span[];
  readonly writes: Span[];
}

function usesOf(op: Op, uses: Uses = { reads: [], writes: [] }): Uses {
  if ('get' in op) uses.reads.push(spanOf(op.get));
  else if ('put' in op) uses.writes.push(spanOf(op.put.key));
  else if ('delete' in op) uses.writes.push(spanOf(op.delete));
  else {
    for (const { key } of op.txn.compare ?? []) uses.reads.push(spanOf(key));
    for (const each of [...(op.txn.success ?? []), ...(op.txn.failure ?? [])]) usesOf(each, uses);
  }
  return uses;
}

function inConflict(a: Action, b: Action): boolean {
  const [first, second] = [usesOf(a), usesOf(b)];
  const meet = (some: Span[], others: Span[]) =>
    some.some((x) =>
      others.some(
        (y) => (y.end === undefined || x.start < y.end) && (x.end === undefined || y.start < x.end),
      ),
    );
  return (
    meet(first.writes, second.writes) || meet(first.writes, second.reads) || meet(first.reads, second.writes)
  );
}

function print(value: unknown): string {
  return (
    JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? `${each}n` : each)) ?? 'nothing'
  );
}

function describe({ client, action, end }: CallRecord): string {
  const how = end.type === 'answer' ? `revision ${end.revision}` : `${end.name}, ${end.outcome}`;
  return `client ${client}: ${print(action)} (${how})`;
}
