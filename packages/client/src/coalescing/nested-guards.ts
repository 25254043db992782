import type { PutRequest, RequestOp, TxnRequestMessage } from '../kv-messages.js';
import { KeySpan } from './key-span.js';
import { eachCompare, eachOp, findOp } from './txn-traits.js';

/**
 * Operations that stand for a nested transaction in the `failure` branch of the batch, which is never run.
 *
 * etcd before 3.4.42, 3.5.28 and 3.6.9 checks no permissions within a nested Txn, not even that there is
 * a user, and before 3.5.33 and 3.6.14 its quota does not see what is put there
 * (https://github.com/etcd-io/etcd/pull/22167). But it looks at both
 * branches of the outer one: measured on 3.4.23 and 3.5.16. So what the branches of the nested Txn do is
 * named there too, without values.
 *
 * @returns undefined when it cannot be named: etcd takes no put and delete of one key in one branch
 */
export function permissionGuards(request: TxnRequestMessage): readonly RequestOp[] | undefined {
  const puts = new Map<string, RequestOp>();
  eachOp(request, ({ request_put: put }) => {
    if (put !== undefined) puts.set(put.key.toString('latin1'), { request_put: putGuard(put) });
  });
  const guards = [...puts.values()];
  let possible = true;
  eachOp(request, ({ request_range: range, request_delete_range: deletion }) => {
    if (range !== undefined) guards.push(rangeGuard(range));
    if (deletion === undefined) return;
    const span = new KeySpan(deletion.key, deletion.range_end);
    for (const key of puts.keys()) if (span.holds(key)) possible = false;
    guards.push({ request_delete_range: deletion });
  });
  eachCompare(request, (compare) => guards.push(rangeGuard(compare)));
  return possible ? guards : undefined;
}

/**
 * For a client without a user: one operation is enough for an etcd that wants a user to say so, and a put
 * for one that has no space left.
 */
export function spaceGuard(request: TxnRequestMessage): RequestOp | undefined {
  const put = findOp(request, (op) => op.request_put !== undefined)?.request_put;
  if (put !== undefined) return { request_put: putGuard(put) };
  const other = findOp(request, (op) => op.request_txn === undefined);
  return other?.request_range ? rangeGuard(other.request_range) : other;
}

const NO_VALUE = Buffer.alloc(0);

function putGuard({ key }: PutRequest): PutRequest {
  return { key, value: NO_VALUE };
}

function rangeGuard({ key, range_end }: { key: Buffer; range_end?: Buffer | undefined }): RequestOp {
  return { request_range: { key, range_end, count_only: true } };
}
