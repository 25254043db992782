import type { Compare, KeyValue, Op, OpResult, Range, RangeOptions, TxnRequest } from '../../src/index.js';

/** A key as the model knows it. */
export interface ModelKey {
  readonly value: string;
  readonly version: number;
  readonly create: bigint;
  readonly mod: bigint;
  readonly lease: bigint;
}

export type State = ReadonlyMap<string, ModelKey>;

/** What an operation makes of keys; undefined = deleted. */
export type Effects = ReadonlyMap<string, ModelKey | undefined>;

/** An answer in a form that can be compared; without the revision of the answer itself. */
export type Plain = { readonly [name: string]: unknown };

export interface Outcome {
  readonly answer: Plain;
  readonly effects: Effects;
}

export interface Span {
  readonly start: string;
  /** Undefined: no end. */
  readonly end: string | undefined;
}

/** Keys are plain ASCII here. */
export function spanOf(range: Range): Span {
  if (typeof range === 'string') return { start: range, end: `${range}\0` };
  if (range instanceof Uint8Array) throw new TypeError('keys are text here');
  if ('prefix' in range) {
    const prefix = String(range.prefix);
    const last = prefix.charCodeAt(prefix.length - 1);
    return { start: prefix, end: prefix.slice(0, -1) + String.fromCharCode(last + 1) };
  }
  return { start: String(range.start), end: range.end === '\0' ? undefined : String(range.end) };
}

export function within({ start, end }: Span, key: string): boolean {
  return key >= start && (end === undefined || key < end);
}

/** Runs a transaction as etcd does: compares see the state before, operations those before them. */
export function runTxn(request: TxnRequest, before: State, revision: bigint): Outcome {
  const effects = new Map<string, ModelKey | undefined>();
  const answer = runBranch(request, before, new Map(before), revision, effects);
  return { answer, effects };
}

/** Runs one operation by itself. */
export function runOp(op: Op, before: State, revision: bigint): Outcome {
  const effects = new Map<string, ModelKey | undefined>();
  return { answer: run(op, before, new Map(before), revision, effects), effects };
}

type Draft = Map<string, ModelKey>;

function runBranch(
  { compare = [], success = [], failure = [] }: TxnRequest,
  before: State,
  draft: Draft,
  revision: bigint,
  effects: Map<string, ModelKey | undefined>,
): Plain {
  const succeeded = compare.every((each) => holds(each, before));
  const responses = (succeeded ? success : failure).map((op) => run(op, before, draft, revision, effects));
  return { type: 'txn', succeeded, responses };
}

function run(
  op: Op,
  before: State,
  draft: Draft,
  revision: bigint,
  effects: Map<string, ModelKey | undefined>,
): Plain {
  if ('get' in op) return readRange(op.get, op.options ?? {}, draft);
  if ('txn' in op) return runBranch(op.txn, before, draft, revision, effects);
  if ('put' in op) {
    const { key, value, ignoreValue = false, leaseId = 0n, previous = false } = op.put;
    const old = draft.get(String(key));
    const now: ModelKey = {
      value: ignoreValue ? (old?.value ?? '') : String(value),
      version: (old?.version ?? 0) + 1,
      create: old?.create ?? revision,
      mod: revision,
      lease: leaseId,
    };
    draft.set(String(key), now);
    effects.set(String(key), now);
    return { type: 'put', previous: previous && old !== undefined ? show(String(key), old) : undefined };
  }
  const gone = select(op.delete, draft);
  for (const [key] of gone) {
    draft.delete(key);
    effects.set(key, undefined);
  }
  const previous = op.previous && gone.length > 0 ? gone.map(([key, old]) => show(key, old)) : undefined;
  return { type: 'delete', deleted: gone.length, previous };
}

function select(range: Range, state: State): (readonly [string, ModelKey])[] {
  const span = spanOf(range);
  return [...state].filter(([key]) => within(span, key)).sort(([a], [b]) => (a < b ? -1 : 1));
}

function readRange(range: Range, options: Omit<RangeOptions, 'exclusive'>, state: State): Plain {
  const { limit = 0, sort, countOnly = false, keysOnly = false } = options;
  const found = select(range, state);
  if (countOnly) return { type: 'get', kvs: [], count: found.length, more: false };
  if (sort?.by === 'value') found.sort(([, a], [, b]) => (a.value < b.value ? -1 : 1));
  if (sort?.order === 'descend') found.reverse();
  const kvs = (limit > 0 ? found.slice(0, limit) : found).map(([key, each]) =>
    show(key, keysOnly ? { ...each, value: '' } : each),
  );
  return { type: 'get', kvs, count: found.length, more: limit > 0 && found.length > limit };
}

function holds(compare: Compare, state: State): boolean {
  const found = select(compare.key, state).map(([, each]) => each);
  // Where there is no key, etcd compares one whose numbers are all 0, for a range too; and never a value.
  if (found.length === 0) return compare.target !== 'value' && test(0n, compare.is, BigInt(compare.to));
  return found.every((each) =>
    compare.target === 'value'
      ? test(each.value, compare.is, String(compare.to))
      : test(BigInt(each[compare.target]), compare.is, BigInt(compare.to)),
  );
}

function test<T extends string | bigint>(left: T, is: Compare['is'], right: T): boolean {
  if (is === '=') return left === right;
  if (is === '!=') return left !== right;
  return is === '<' ? left < right : left > right;
}

/** A key in an answer. */
function show(key: string, { value, version, create, mod, lease }: ModelKey): string {
  return `${key}=${value} v${version} c${create} m${mod} l${lease}`;
}

export function showKey(kv: KeyValue): string {
  return show(kv.key, {
    value: kv.text(),
    version: kv.version,
    create: kv.createRevision,
    mod: kv.modRevision,
    lease: kv.leaseId,
  });
}

/** The client's answer in the model's form. */
export function plainAnswer(result: OpResult): Plain {
  if (result.type === 'get') {
    return { type: 'get', kvs: result.kvs.map(showKey), count: result.count, more: result.more };
  }
  if (result.type === 'put') return { type: 'put', previous: result.previous && showKey(result.previous) };
  if (result.type === 'delete') {
    return { type: 'delete', deleted: result.deleted, previous: result.previous?.map(showKey) };
  }
  return { type: 'txn', succeeded: result.succeeded, responses: result.responses.map(plainAnswer) };
}
