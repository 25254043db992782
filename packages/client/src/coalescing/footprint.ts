import type {
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequestMessage,
} from '../kv-messages.js';
import { type KeySpan, keySpan } from './key-span.js';

/** The keys that a call looks at, in whatever branch and compare, and those that it may change. */
export interface Footprint {
  readonly reads: readonly KeySpan[];
  readonly writes: readonly KeySpan[];
}

const NOTHING: Footprint = { reads: [], writes: [] };

/** A read of the past meets no write: its answer is settled. */
export function footprintOfRange({ key, range_end, revision }: RangeRequest): Footprint {
  return revision ? NOTHING : { reads: [keySpan(key, range_end)], writes: [] };
}

export function footprintOfPut({ key }: PutRequest): Footprint {
  return { reads: [], writes: [keySpan(key)] };
}

export function footprintOfDelete({ key, range_end }: DeleteRangeRequest): Footprint {
  return { reads: [], writes: [keySpan(key, range_end)] };
}

export function footprintOfTxn(request: TxnRequestMessage): Footprint {
  const reads = new Map<string, KeySpan>();
  const writes = new Map<string, KeySpan>();
  collect(request, reads, writes);
  // A write keeps others away as a read does, and more.
  for (const name of writes.keys()) reads.delete(name);
  return { reads: [...reads.values()], writes: [...writes.values()] };
}

/** The footprint with more ranges to read: what is named so is changed by no other call of the same batch. */
export function withReads(footprint: Footprint, more: readonly KeySpan[]): Footprint {
  return { reads: [...footprint.reads, ...more], writes: footprint.writes };
}

type Spans = Map<string, KeySpan>;

function collect({ compare, success, failure }: TxnRequestMessage, reads: Spans, writes: Spans): void {
  for (const { key, range_end } of compare) add(reads, keySpan(key, range_end));
  for (const op of success) collectOp(op, reads, writes);
  for (const op of failure) collectOp(op, reads, writes);
}

function collectOp(op: RequestOp, reads: Spans, writes: Spans): void {
  const { request_range: range, request_put: put, request_delete_range: deletion, request_txn: txn } = op;
  if (range !== undefined) {
    if (!range.revision) add(reads, keySpan(range.key, range.range_end));
  } else if (put !== undefined) add(writes, keySpan(put.key));
  else if (deletion !== undefined) add(writes, keySpan(deletion.key, deletion.range_end));
  else if (txn !== undefined) collect(txn, reads, writes);
}

function add(spans: Spans, span: KeySpan): void {
  // No byte is this character. A single key and the range from it to the next are the same, and share a name.
  spans.set(`${span.start}\u0100${span.end ?? ''}`, span);
}
