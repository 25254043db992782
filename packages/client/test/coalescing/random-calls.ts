import fc from 'fast-check';
import type { Compare, Op, Range, TxnRequest } from '../../src/index.js';
import type { Action } from './check-history.js';

export type LeaseChoice = 'none' | 'live' | 'dying' | 'dead' | 'foreign';

/** One call of a program. Lease ids are filled in when it runs. */
export interface PlannedCall {
  readonly client: 0 | 1;
  readonly action: PlannedAction;
  readonly idempotent: boolean;
  readonly coalesce: boolean;
  readonly serializable: boolean;
  /** Aborted after so many turns of the event loop; undefined = never. */
  readonly abortAfter: number | undefined;
  /** What the program does before its next call. */
  readonly next: 'go on' | 'a turn' | 'await' | 'revoke';
}

export interface PlannedPut {
  readonly key: string;
  readonly previous: boolean;
  readonly ignoreValue: boolean;
  readonly lease: LeaseChoice;
}

export type PlannedAction =
  | { readonly type: 'get'; readonly range: Range; readonly options: ReadOptions }
  | { readonly type: 'put'; readonly put: PlannedPut }
  | { readonly type: 'delete'; readonly range: Range; readonly previous: boolean }
  | { readonly type: 'txn'; readonly txn: PlannedTxn }
  | { readonly type: 'bad' };

interface ReadOptions {
  readonly limit?: number | undefined;
  readonly countOnly?: boolean | undefined;
  readonly keysOnly?: boolean | undefined;
  readonly sort?: { readonly by: 'key' | 'value'; readonly order: 'ascend' | 'descend' } | undefined;
}

export interface PlannedTxn {
  readonly compare: readonly Compare[];
  readonly success: readonly PlannedAction[];
  readonly failure: readonly PlannedAction[];
}

export const BASE = '/m/';
export const DENIED = '/x/';

/** What the calls of a program are about. */
interface Vocabulary {
  readonly key: fc.Arbitrary<string>;
  readonly range: fc.Arbitrary<Range>;
  readonly withUsers: boolean;
}

const HOT = ['a', 'b', 'c', 'q/1', 'q/2', 'q/3', 'r/1', 'r/2', 's1', 's2', 's3'];
const COLD = Array.from({ length: 80 }, (_, i) => `${'tuvw'[i % 4]}/${i}`);
const named = (names: readonly string[]) => fc.constantFrom(...names).map((name) => BASE + name);
const NARROW: Range[] = [{ prefix: `${BASE}q/` }, { prefix: `${BASE}r/` }, { prefix: `${BASE}s` }];
const WIDE: Range[] = [
  { prefix: BASE },
  { start: `${BASE}b`, end: `${BASE}q/2` },
  { start: `${BASE}t`, end: `${BASE}v/9` },
];

/** Much in conflict, so that the order counts; or little, so that batches are large. */
function vocabulary(crowded: boolean, withUsers: boolean): Vocabulary {
  const key = crowded
    ? fc.oneof({ weight: 2, arbitrary: named(HOT) }, { weight: 1, arbitrary: named(COLD) })
    : fc.oneof({ weight: 1, arbitrary: named(HOT) }, { weight: 9, arbitrary: named(COLD) });
  const range: fc.Arbitrary<Range> = fc.oneof(
    { weight: crowded ? 6 : 60, arbitrary: key },
    { weight: 2, arbitrary: fc.constantFrom(...NARROW) },
    { weight: 1, arbitrary: fc.constantFrom(...WIDE) },
  );
  return { key, range, withUsers };
}

const readOptions: fc.Arbitrary<ReadOptions> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({}) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<ReadOptions[]>(
      { limit: 1 },
      { countOnly: true },
      { keysOnly: true },
      { limit: 2, sort: { by: 'value', order: 'descend' } },
      { sort: { by: 'key', order: 'descend' } },
    ),
  },
);
const rarely = (weight: number) =>
  fc.oneof({ weight: 100 - weight, arbitrary: fc.constant(false) }, { weight, arbitrary: fc.constant(true) });

function lease(withUsers: boolean): fc.Arbitrary<LeaseChoice> {
  const some: LeaseChoice[] = withUsers ? ['live', 'dying', 'dead', 'foreign'] : ['live', 'dying', 'dead'];
  return fc.oneof(
    { weight: 6, arbitrary: fc.constant<LeaseChoice>('none') },
    { weight: 2, arbitrary: fc.constantFrom(...some) },
  );
}

function compareOf({ key, range }: Vocabulary): fc.Arbitrary<Compare> {
  return fc.oneof(
    fc.record({
      key,
      target: fc.constantFrom('version' as const, 'create' as const),
      is: fc.constantFrom('=' as const, '>' as const, '!=' as const),
      to: fc.constantFrom(0, 1, 2),
    }),
    fc.record({
      key: range,
      target: fc.constant('create' as const),
      is: fc.constantFrom('=' as const, '>' as const),
      to: fc.constant(0),
    }),
  );
}

function getOf(ranges: fc.Arbitrary<Range>): fc.Arbitrary<PlannedAction> {
  return fc.record({ type: fc.constant('get' as const), range: ranges, options: readOptions });
}

function putOf(keys: fc.Arbitrary<string>, withUsers: boolean): fc.Arbitrary<PlannedAction> {
  const put = fc.record({ key: keys, previous: rarely(30), ignoreValue: rarely(8), lease: lease(withUsers) });
  return fc.record({ type: fc.constant('put' as const), put });
}

function deleteOf(ranges: fc.Arbitrary<Range>): fc.Arbitrary<PlannedAction> {
  return fc.record({ type: fc.constant('delete' as const), range: ranges, previous: rarely(40) });
}

function planned(words: Vocabulary): fc.Arbitrary<PlannedAction> {
  const { key, range, withUsers } = words;
  const compare = compareOf(words);
  const keys = withUsers
    ? fc.oneof({ weight: 12, arbitrary: key }, { weight: 1, arbitrary: fc.constant(`${DENIED}k`) })
    : key;
  const ranges = withUsers
    ? fc.oneof({ weight: 12, arbitrary: range }, { weight: 1, arbitrary: fc.constant({ prefix: DENIED }) })
    : range;
  const simple = fc.oneof(getOf(ranges), putOf(keys, withUsers), deleteOf(ranges));
  // What is nested is not checked by old servers, when a call is made by itself either: nothing that is denied there.
  const nested = fc.oneof(getOf(range), putOf(key, withUsers), deleteOf(range));
  const inner: fc.Arbitrary<PlannedAction> = fc.record({
    type: fc.constant('txn' as const),
    txn: fc.record({
      compare: fc.array(compare, { maxLength: 1 }),
      success: fc.array(nested, { maxLength: 2 }),
      failure: fc.array(nested, { maxLength: 1 }),
    }),
  });
  const op = fc.oneof({ weight: 6, arbitrary: simple }, { weight: 1, arbitrary: inner });
  const txn: fc.Arbitrary<PlannedAction> = fc.record({
    type: fc.constant('txn' as const),
    txn: fc.record({
      compare: fc.array(compare, { maxLength: 2 }),
      success: fc.array(op, { maxLength: 3 }),
      failure: fc.array(op, { maxLength: 2 }),
    }),
  });
  return fc.oneof(
    { weight: 6, arbitrary: getOf(ranges) },
    { weight: 9, arbitrary: putOf(keys, withUsers) },
    { weight: 3, arbitrary: deleteOf(ranges) },
    { weight: 8, arbitrary: txn },
    { weight: 1, arbitrary: fc.constant({ type: 'bad' as const }) },
  );
}

/** Random programs: bursts of calls of two clients, some of them aborted. */
export function programs(withUsers: boolean): fc.Arbitrary<readonly PlannedCall[]> {
  return fc.oneof(...[true, false].map((crowded) => programOf(vocabulary(crowded, withUsers))));
}

function programOf(words: Vocabulary): fc.Arbitrary<readonly PlannedCall[]> {
  const call: fc.Arbitrary<PlannedCall> = fc.record({
    client: fc.oneof(
      { weight: 5, arbitrary: fc.constant(0 as const) },
      { weight: 1, arbitrary: fc.constant(1 as const) },
    ),
    action: planned(words),
    idempotent: rarely(15),
    coalesce: rarely(10).map((no) => !no),
    serializable: rarely(20),
    abortAfter: fc.oneof(
      { weight: 12, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.nat({ max: 6 }) },
    ),
    next: fc.oneof(
      { weight: 80, arbitrary: fc.constant('go on' as const) },
      { weight: 2, arbitrary: fc.constant('a turn' as const) },
      { weight: 1, arbitrary: fc.constant('await' as const) },
      { weight: 1, arbitrary: fc.constant('revoke' as const) },
    ),
  });
  return fc.array(call, { minLength: 80, maxLength: 160 });
}

/** The action with its values and leases, each value used once. */
export function actionOf(
  plan: PlannedAction,
  leases: Readonly<Record<LeaseChoice, bigint>>,
  nextValue: () => string,
): Action {
  return opOf(plan, leases, nextValue);
}

function opOf(
  plan: PlannedAction,
  leases: Readonly<Record<LeaseChoice, bigint>>,
  nextValue: () => string,
): Op {
  switch (plan.type) {
    case 'get':
      return { get: plan.range, options: plan.options };
    case 'put': {
      const { key: name, previous, ignoreValue, lease: choice } = plan.put;
      const value = ignoreValue ? '' : nextValue();
      return { put: { key: name, value, previous, ignoreValue, leaseId: leases[choice] } };
    }
    case 'delete':
      return { delete: plan.range, previous: plan.previous };
    case 'bad': {
      const put = () => ({ put: { key: `${BASE}bad`, value: nextValue() } });
      return { txn: { success: [put(), put()] } };
    }
    case 'txn': {
      const branch = (ops: readonly PlannedAction[]) => ops.map((each) => opOf(each, leases, nextValue));
      const { compare: conditions, success, failure } = plan.txn;
      const txn: TxnRequest = { compare: conditions, success: branch(success), failure: branch(failure) };
      return { txn };
    }
  }
}
