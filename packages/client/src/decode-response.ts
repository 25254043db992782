import { CoordError } from './errors.js';
import type { WireKeyValue } from './key-value.js';
import type {
  DeleteRangeResponse,
  PutResponse,
  RangeResponse,
  ResponseHeader,
  ResponseOp,
  TxnResponse,
} from './kv-messages.js';
import { WireReader } from './wire-reader.js';

type ReadMessage<T> = (reader: WireReader, end: number) => T;

/** Unknown fields are skipped, so that newer servers may add some. All throw a `CoordError` for what is no such message. */
export const decodeRangeResponse = decoder('RangeResponse', readRangeResponse);
export const decodePutResponse = decoder('PutResponse', readPutResponse);
export const decodeDeleteRangeResponse = decoder('DeleteRangeResponse', readDeleteRangeResponse);
export const decodeTxnResponse = decoder('TxnResponse', readTxnResponse);

export function decoder<T>(name: string, read: ReadMessage<T>): (message: Buffer) => T {
  return (message) => {
    try {
      return read(new WireReader(message), message.length);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new CoordError('COORD_PROTOCOL', `no ${name}: ${reason}`, { cause, outcome: 'unknown' });
    }
  };
}

const EMPTY: Buffer = Buffer.alloc(0);
export const NO_HEADER: ResponseHeader = { cluster_id: 0n, revision: 0n };

export function readHeader(reader: WireReader, end: number): ResponseHeader {
  let cluster_id = 0n;
  let revision = 0n;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 8) cluster_id = BigInt.asUintN(64, reader.bigint());
    else if (tag === 24) revision = reader.bigint();
    else reader.skipType(tag & 7);
  }
  return { cluster_id, revision };
}

function readRangeResponse(reader: WireReader, end: number): RangeResponse {
  let header = NO_HEADER;
  const kvs: WireKeyValue[] = [];
  let more = false;
  let count = 0;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 18) kvs.push(reader.nested(readKeyValue));
    else if (tag === 32) count = Number(reader.bigint());
    else if (tag === 10) header = reader.nested(readHeader);
    else if (tag === 24) more = reader.bool();
    else reader.skipType(tag & 7);
  }
  return { header, kvs, more, count };
}

function readPutResponse(reader: WireReader, end: number): PutResponse {
  let header = NO_HEADER;
  let prev_kv: WireKeyValue | undefined;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 10) header = reader.nested(readHeader);
    else if (tag === 18) prev_kv = reader.nested(readKeyValue);
    else reader.skipType(tag & 7);
  }
  return { header, prev_kv };
}

function readDeleteRangeResponse(reader: WireReader, end: number): DeleteRangeResponse {
  let header = NO_HEADER;
  let deleted = 0;
  const prev_kvs: WireKeyValue[] = [];
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 10) header = reader.nested(readHeader);
    else if (tag === 16) deleted = Number(reader.bigint());
    else if (tag === 26) prev_kvs.push(reader.nested(readKeyValue));
    else reader.skipType(tag & 7);
  }
  return { header, deleted, prev_kvs };
}

function readTxnResponse(reader: WireReader, end: number): TxnResponse {
  let header = NO_HEADER;
  let succeeded = false;
  const responses: ResponseOp[] = [];
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 26) responses.push(reader.nested(readResponseOp));
    else if (tag === 10) header = reader.nested(readHeader);
    else if (tag === 16) succeeded = reader.bool();
    else reader.skipType(tag & 7);
  }
  return { header, succeeded, responses };
}

function readResponseOp(reader: WireReader, end: number): ResponseOp {
  let op: ResponseOp | undefined;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 10) op = { response_range: reader.nested(readRangeResponse) };
    else if (tag === 18) op = { response_put: reader.nested(readPutResponse) };
    else if (tag === 26) op = { response_delete_range: reader.nested(readDeleteRangeResponse) };
    else if (tag === 34) op = { response_txn: reader.nested(readTxnResponse) };
    else reader.skipType(tag & 7);
  }
  if (op === undefined) throw new RangeError('an answer of a transaction is empty');
  return op;
}

export function readKeyValue(reader: WireReader, end: number): WireKeyValue {
  let key = EMPTY;
  let value = EMPTY;
  let version = 0n;
  let create_revision = 0n;
  let mod_revision = 0n;
  let lease = 0n;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 10) key = reader.view();
    else if (tag === 16) create_revision = reader.bigint();
    else if (tag === 24) mod_revision = reader.bigint();
    else if (tag === 32) version = reader.bigint();
    else if (tag === 42) value = reader.view();
    else if (tag === 48) lease = reader.bigint();
    else reader.skipType(tag & 7);
  }
  return { key, value, version, create_revision, mod_revision, lease };
}
