import type {
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequestMessage,
} from '../kv-messages.js';
import { KeySpan } from './key-span.js';

/** The keys that a call looks at, in whatever branch and compare, and those that it may change. */
export interface Footprint {
  readonly reads: readonly KeySpan[];
  readonly writes: readonly KeySpan[];
}

const NONE: readonly KeySpan[] = [];

/** A read of the past meets no write: its answer is settled. */
export function footprintOfRange({ key, range_end, revision }: RangeRequest): Footprint {
  return { reads: revision ? NONE : [new KeySpan(key, range_end)], writes: NONE };
}

export function footprintOfPut({ key }: PutRequest): Footprint {
  return { reads: NONE, writes: [new KeySpan(key)] };
}

export function footprintOfDelete({ key, range_end }: DeleteRangeRequest): Footprint {
  return { reads: NONE, writes: [new KeySpan(key, range_end)] };
}

export function footprintOfTxn(request: TxnRequestMessage): Footprint {
  const reads = new SpanSet();
  const writes = new SpanSet();
  collect(request, reads, writes);
  // A write keeps others away as a read does, and more. Copied: an array that has grown has room for many.
  return { reads: reads.spans.filter((span) => !writes.has(span)).slice(), writes: writes.spans.slice() };
}

/** The footprint with more ranges to read: what is named so is changed by no other call of the same batch. */
export function withReads({ reads, writes }: Footprint, more: readonly KeySpan[]): Footprint {
  const others = more.filter((span) => !reads.some((each) => each.equals(span)));
  return { reads: others.length === 0 ? reads : reads.concat(others), writes };
}

function collect({ compare, success, failure }: TxnRequestMessage, reads: SpanSet, writes: SpanSet): void {
  for (const { key, range_end } of compare) reads.add(new KeySpan(key, range_end));
  for (const op of success) collectOp(op, reads, writes);
  for (const op of failure) collectOp(op, reads, writes);
}

function collectOp(op: RequestOp, reads: SpanSet, writes: SpanSet): void {
  const { request_range: range, request_put: put, request_delete_range: deletion, request_txn: txn } = op;
  if (range !== undefined) {
    if (!range.revision) reads.add(new KeySpan(range.key, range.range_end));
  } else if (put !== undefined) writes.add(new KeySpan(put.key));
  else if (deletion !== undefined) writes.add(new KeySpan(deletion.key, deletion.range_end));
  else if (txn !== undefined) collect(txn, reads, writes);
}

/** Up to here a search through the list is faster than a hash. */
const FEW = 16;

/** Spans, each once. */
class SpanSet {
  readonly spans: KeySpan[] = [];
  #names: Set<string> | undefined;

  add(span: KeySpan): void {
    if (this.has(span)) return;
    this.spans.push(span);
    this.#names?.add(nameOf(span));
  }

  has(span: KeySpan): boolean {
    if (this.spans.length <= FEW) return this.spans.some((each) => each.equals(span));
    this.#names ??= new Set(this.spans.map(nameOf));
    return this.#names.has(nameOf(span));
  }
}

/** No byte is the character in between. */
function nameOf({ start, end }: KeySpan): string {
  return `${start}\u0100${end ?? ''}`;
}
