import type { CallOptions, Compare, KV, Op, TxnRequest, TxnResult } from '@coord/client';

/**
 * Runs a transaction only while the guard holds, both branches alike.
 * @param guard compares the create revision of `key`
 * @returns undefined when the guard failed and nothing was applied
 */
export async function guardedTxn(
  kv: KV,
  key: string,
  guard: Compare,
  request: TxnRequest,
  options?: CallOptions,
): Promise<TxnResult | undefined> {
  const { compare = [], success = [], failure = [] } = request;
  const guarded = compare.length > 0 && failure.some(isWrite);
  return guarded
    ? nested(kv, guard, { compare, success, failure }, options)
    : flat(kv, key, guard, { compare, success, failure }, options);
}

/**
 * The guard is one more compare, and one more read in the failure branch tells which compare failed.
 * Not for a failure branch that writes: that would be applied when only the guard failed.
 */
async function flat(
  kv: KV,
  key: string,
  guard: Compare,
  { compare, success, failure }: Required<TxnRequest>,
  options?: CallOptions,
): Promise<TxnResult | undefined> {
  // Without compares of his own, the caller's failure branch can never be reached.
  const reads = compare?.length === 0 ? [] : (failure ?? []);
  const result = await kv.txn(
    { compare: [guard, ...(compare ?? [])], success, failure: [...reads, { get: key }] },
    options,
  );
  if (result.succeeded) return result;
  const own = result.responses.at(-1);
  const isHeld = own?.type === 'get' && own.kvs[0]?.createRevision === guard.to;
  return isHeld ? { ...result, responses: result.responses.slice(0, -1) } : undefined;
}

/**
 * The caller's transaction is nested in the guarded branch. Servers before 3.4.42, 3.5.28 and
 * 3.6.9 do not check permissions inside a nested transaction, so this form is only used where it must be.
 */
async function nested(
  kv: KV,
  guard: Compare,
  request: TxnRequest,
  options?: CallOptions,
): Promise<TxnResult | undefined> {
  const result = await kv.txn({ compare: [guard], success: [{ txn: request }] }, options);
  const inner = result.responses[0];
  if (!result.succeeded || inner?.type !== 'txn') return undefined;
  return { succeeded: inner.succeeded, revision: result.revision, responses: inner.responses };
}

function isWrite(op: Op): boolean {
  return !('get' in op);
}
