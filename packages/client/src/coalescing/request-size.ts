import type {
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequestMessage,
} from '../kv-messages.js';

/** Room for tags, lengths and numbers of one message. An estimate from above: limits are kept with it. */
const FRAME_BYTES = 48;

export function bytesOfRange({ key, range_end }: RangeRequest | DeleteRangeRequest): number {
  return FRAME_BYTES + key.length + (range_end?.length ?? 0);
}

export function bytesOfPut({ key, value }: PutRequest): number {
  return FRAME_BYTES + key.length + value.length;
}

export function bytesOfTxn({ compare, success, failure }: TxnRequestMessage): number {
  let bytes = FRAME_BYTES;
  for (const { key, range_end, value } of compare) {
    bytes += FRAME_BYTES + key.length + (range_end?.length ?? 0) + (value?.length ?? 0);
  }
  for (const op of success) bytes += bytesOfOp(op);
  for (const op of failure) bytes += bytesOfOp(op);
  return bytes;
}

function bytesOfOp(op: RequestOp): number {
  if (op.request_put !== undefined) return FRAME_BYTES + bytesOfPut(op.request_put);
  if (op.request_txn !== undefined) return FRAME_BYTES + bytesOfTxn(op.request_txn);
  const range = op.request_range ?? op.request_delete_range;
  return range === undefined ? 0 : FRAME_BYTES + bytesOfRange(range);
}

/**
 * How many operations etcd counts from here down, on the longest path: a transaction counts the longest
 * of its three lists, and those within it come on top.
 * https://github.com/etcd-io/etcd/blob/v3.5.16/server/etcdserver/api/v3rpc/key.go
 */
export function opsOnPath({ compare, success, failure }: TxnRequestMessage): number {
  const nested = Math.max(nestedOps(success), nestedOps(failure));
  return Math.max(compare.length, success.length, failure.length) + nested;
}

function nestedOps(ops: readonly RequestOp[]): number {
  let most = 0;
  for (const { request_txn: nested } of ops) {
    if (nested !== undefined) most = Math.max(most, opsOnPath(nested));
  }
  return most;
}
