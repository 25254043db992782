import type { RequestOp, ResponseOp, TxnRequestMessage } from '../kv-messages.js';
import type { Cargo } from './kv-call.js';

/** The limits of one batch. */
export interface BatchLimits {
  /** Operations that etcd takes on one path: its `--max-txn-ops`. */
  readonly ops: number;
  /** Size of the request: below etcd's `--max-request-bytes`. */
  readonly requestBytes: number;
  /** Size of the answer that reads are expected to have. */
  readonly responseBytes: number;
  /** Calls that need space in the database do not share a batch with those that do not. */
  readonly separateSpace: boolean;
}

/** What a batch has to know of a call that waits for one. */
export interface Load {
  readonly cargo: Cargo<unknown>;
  /** How large its answer will be, as far as can be told. */
  readonly expectedBytes: number;
}

/**
 * How many calls from the front of the queue may go together; at least one. They are not in conflict with
 * each other: see `CallOrder`.
 */
export function batchLength(queue: readonly Load[], limits: BatchLimits): number {
  let ops = 0;
  let nestedOps = 0;
  let guards = 1;
  let bytes = 0;
  let answer = 0;
  let length = 0;
  for (const { cargo, expectedBytes } of queue) {
    ops += cargo.ops.length;
    nestedOps = Math.max(nestedOps, cargo.nestedOps);
    guards += cargo.guards.length;
    bytes += cargo.bytes;
    answer += expectedBytes;
    const fits =
      Math.max(ops, guards) + nestedOps <= limits.ops &&
      bytes <= limits.requestBytes &&
      answer <= limits.responseBytes &&
      (!limits.separateSpace || cargo.takesSpace === queue[0]?.cargo.takesSpace);
    if (!fits) break;
    length++;
  }
  return Math.max(1, length);
}

/**
 * One Txn out of the calls. It has no condition, so its `success` branch runs; the other one is only looked
 * at by the server.
 */
export function packBatch(calls: readonly Load[]): TxnRequestMessage {
  const success: RequestOp[] = [];
  const failure: RequestOp[] = [];
  let guard: RequestOp | undefined;
  for (const { cargo } of calls) {
    for (const op of cargo.ops) success.push(op);
    for (const op of cargo.guards) failure.push(op);
    if (guard?.request_put === undefined) guard = cargo.guard ?? guard;
  }
  if (guard !== undefined) failure.push(guard);
  return { compare: [], success, failure };
}

/** The answers of each call, in the order of the batch. */
export function* splitAnswers<T extends Load>(
  calls: readonly T[],
  responses: readonly ResponseOp[],
): Generator<readonly [T, readonly ResponseOp[]], void> {
  let from = 0;
  for (const call of calls) {
    const to = from + call.cargo.ops.length;
    yield [call, responses.slice(from, to)];
    from = to;
  }
}

/** Keys and values in an answer. */
export function bytesOfAnswer(responses: readonly ResponseOp[]): number {
  let bytes = 0;
  for (const response of responses) {
    if (!('response_range' in response)) continue;
    for (const { key, value } of response.response_range.kvs) bytes += key.length + value.length;
  }
  return bytes;
}
