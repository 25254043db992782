import type { CallOptions, Compare, KV, Op, TxnRequest, TxnResult } from '@coord/client';
import {
  assertValid,
  type IssueList,
  isArray,
  type NamesOf,
  readInput,
  readOptions,
  show,
} from '@coord/client/internal';
import type { Hold } from './hold.js';

interface Branches {
  readonly compare: readonly Compare[];
  readonly success: readonly Op[];
  readonly failure: readonly Op[];
}

/**
 * Runs a transaction only while the hold is there, both branches alike.
 * @returns undefined when it is not, and nothing was applied
 */
export async function guardedTxn(
  kv: KV,
  hold: Pick<Hold, 'isOwn'>,
  request: TxnRequest,
  options?: CallOptions,
): Promise<TxnResult | undefined> {
  const { compare, success, failure } = readInput('txn', () => branchesOf(request));
  const run = compare.length > 0 && failure.some(isWrite) ? nested : flat;
  return run(kv, hold.isOwn(), { compare, success, failure }, options);
}

const NAMES = { compare: true, success: true, failure: true } satisfies NamesOf<TxnRequest>;

/** As far as it is taken apart here; the rest is for the client to check. @throws {ValidationError} */
function branchesOf(request: TxnRequest): Branches {
  const issues: IssueList = [];
  if (request === undefined) issues.push({ path: 'txn', message: 'must be an object, got undefined' });
  const { compare = [], success = [], failure = [] } = readOptions(issues, request, NAMES, 'txn');
  for (const [path, list] of Object.entries({ compare, success, failure })) {
    if (isArray(list)) continue;
    issues.push({ path: `txn.${path}`, message: `must be an array, got ${show(list)}` });
  }
  assertValid(issues);
  return { compare: [...compare], success: [...success], failure: [...failure] };
}

/**
 * The guard is more compares, and more reads in the failure branch tell which compare failed. Not for a failure branch that writes: that would be applied when only the guard failed.
 */
async function flat(
  kv: KV,
  guard: readonly Compare[],
  { compare, success, failure }: Branches,
  options?: CallOptions,
): Promise<TxnResult | undefined> {
  // Without compares of his own, the caller's failure branch can never be reached.
  const reads = compare.length === 0 ? [] : failure;
  const looks = guard.map(({ key }) => ({ get: key, options: { keysOnly: true } }));
  const result = await kv.txn(
    { compare: [...guard, ...compare], success, failure: [...reads, ...looks] },
    options,
  );
  if (result.succeeded) return result;
  const isHeld = result.responses
    .slice(reads.length)
    .every((own, i) => own.type === 'get' && own.kvs[0]?.createRevision === guard[i]?.to);
  return isHeld ? { ...result, responses: result.responses.slice(0, reads.length) } : undefined;
}

/**
 * The caller's transaction is nested in the guarded branch. Servers before 3.4.42, 3.5.28 and
 * 3.6.9 do not check permissions inside a nested transaction, so this form is only used where it must be.
 */
async function nested(
  kv: KV,
  guard: readonly Compare[],
  request: Branches,
  options?: CallOptions,
): Promise<TxnResult | undefined> {
  const result = await kv.txn({ compare: guard, success: [{ txn: request }] }, options);
  const inner = result.responses[0];
  if (!result.succeeded || inner?.type !== 'txn') return undefined;
  return { succeeded: inner.succeeded, revision: result.revision, responses: inner.responses };
}

function isWrite(op: unknown): boolean {
  return typeof op !== 'object' || op === null || !readInput('txn.failure', () => 'get' in op);
}
