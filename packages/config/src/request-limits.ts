import type { Op } from '@coord/client';

/** Operations that etcd takes in one branch of a transaction by default (`--max-txn-ops`). */
export const MAX_OPS = 128;

/** What etcd takes by default in a request (`--max-request-bytes`), less room for what is around keys and values. */
export const MAX_REQUEST_BYTES = 1.5 * 1024 * 1024 - 64 * 1024;

/** Each key needs three operations, and a fourth when a value by others is adopted; one is for the release. */
export const MAX_KEYS = Math.floor((MAX_OPS - 1) / 4);

/** Releases that are kept; each new one drops the oldest. */
export const MAX_RELEASES = 1_000;

/** What the puts of a request weigh. */
export function bytesOf(ops: readonly Op[]): number {
  let bytes = 0;
  for (const op of ops) {
    if ('put' in op) bytes += Buffer.byteLength(op.put.key) + Buffer.byteLength(op.put.value);
  }
  return bytes;
}
