import { CompareResult, CompareTarget, type RequestOp, type TxnRequestMessage } from '../kv-messages.js';

/** Whether it is a list of operations and nothing else: no condition, no branch, no nesting. */
export function isFlat({ compare, success, failure }: TxnRequestMessage): boolean {
  return (
    compare.length === 0 &&
    failure.length === 0 &&
    success.length > 0 &&
    success.every((op) => op.request_txn === undefined)
  );
}

/** Every operation of both branches, of nested transactions too. */
export function* allOps({ success, failure }: TxnRequestMessage): Generator<RequestOp, void> {
  for (const op of [...success, ...failure]) {
    yield op;
    if (op.request_txn !== undefined) yield* allOps(op.request_txn);
  }
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
