import {
  type CompareMessage,
  CompareResult,
  CompareTarget,
  type RequestOp,
  type TxnRequestMessage,
} from '../kv-messages.js';

/** Whether it is a list of operations and nothing else: no condition, no branch, no nesting. */
export function isFlat({ compare, success, failure }: TxnRequestMessage): boolean {
  return (
    compare.length === 0 &&
    failure.length === 0 &&
    success.length > 0 &&
    success.every((op) => op.request_txn === undefined)
  );
}

/** The first operation that passes the test, in either branch, nested transactions included. */
export function findOp(
  { success, failure }: TxnRequestMessage,
  test: (op: RequestOp) => boolean,
): RequestOp | undefined {
  return findIn(success, test) ?? findIn(failure, test);
}

function findIn(ops: readonly RequestOp[], test: (op: RequestOp) => boolean): RequestOp | undefined {
  for (const op of ops) {
    if (test(op)) return op;
    const found = op.request_txn && findOp(op.request_txn, test);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Every operation of both branches, nested transactions included. */
export function eachOp(request: TxnRequestMessage, visit: (op: RequestOp) => void): void {
  findOp(request, (op) => {
    visit(op);
    return false;
  });
}

/** Every condition, nested transactions included. */
export function eachCompare(request: TxnRequestMessage, visit: (compare: CompareMessage) => void): void {
  for (const compare of request.compare) visit(compare);
  eachOp(request, ({ request_txn: nested }) => {
    for (const compare of nested?.compare ?? []) visit(compare);
  });
}

/**
 * Whether all it changes is to delete keys, each as it has been seen: to repeat it can delete nothing newer.
 * So are the release of a lock and a deregistration.
 */
export function isGuardedDelete({ compare, success, failure }: TxnRequestMessage): boolean {
  const guarded = compare.filter(
    ({ target, result, range_end, create_revision, mod_revision }) =>
      result === CompareResult.Equal &&
      range_end === undefined &&
      ((target === CompareTarget.Create && (create_revision ?? 0n) > 0n) ||
        (target === CompareTarget.Mod && (mod_revision ?? 0n) > 0n)),
  );
  const isRead = ({ request_range }: RequestOp) => request_range !== undefined;
  const isGuarded = ({ request_delete_range: deletion }: RequestOp) =>
    deletion !== undefined &&
    deletion.range_end === undefined &&
    guarded.some(({ key }) => key.equals(deletion.key));
  return success.every((op) => isRead(op) || isGuarded(op)) && failure.every(isRead);
}
