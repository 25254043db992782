import type {
  CompareMessage,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequestMessage,
} from './kv-messages.js';
import { WireWriter } from './wire-writer.js';

export function encodeRange(request: RangeRequest): Buffer {
  const writer = new WireWriter();
  writeRange(writer, request);
  return writer.message();
}

export function encodePut(request: PutRequest): Buffer {
  const writer = new WireWriter();
  writePut(writer, request);
  return writer.message();
}

export function encodeDeleteRange(request: DeleteRangeRequest): Buffer {
  const writer = new WireWriter();
  writeDeleteRange(writer, request);
  return writer.message();
}

export function encodeTxn(request: TxnRequestMessage): Buffer {
  const writer = new WireWriter();
  writeTxn(writer, request);
  return writer.message();
}

function writeRange(writer: WireWriter, request: RangeRequest): void {
  writer.bytesField(10, request.key);
  writer.bytesField(18, request.range_end);
  writer.int64Field(24, request.limit);
  writer.int64Field(32, request.revision);
  writer.uint32Field(40, request.sort_order);
  writer.uint32Field(48, request.sort_target);
  writer.boolField(56, request.serializable);
  writer.boolField(64, request.keys_only);
  writer.boolField(72, request.count_only);
  writer.int64Field(80, request.min_mod_revision);
  writer.int64Field(88, request.max_mod_revision);
  writer.int64Field(96, request.min_create_revision);
  writer.int64Field(104, request.max_create_revision);
}

function writePut(writer: WireWriter, request: PutRequest): void {
  writer.bytesField(10, request.key);
  writer.bytesField(18, request.value);
  writer.int64Field(24, request.lease);
  writer.boolField(32, request.prev_kv);
  writer.boolField(40, request.ignore_value);
  writer.boolField(48, request.ignore_lease);
}

function writeDeleteRange(writer: WireWriter, request: DeleteRangeRequest): void {
  writer.bytesField(10, request.key);
  writer.bytesField(18, request.range_end);
  writer.boolField(24, request.prev_kv);
}

function writeTxn(writer: WireWriter, { compare, success, failure }: TxnRequestMessage): void {
  for (const each of compare) {
    writer.uint32(10).fork();
    writeCompare(writer, each);
    writer.ldelim();
  }
  for (const op of success) writeOp(writer, 18, op);
  for (const op of failure) writeOp(writer, 26, op);
}

function writeOp(writer: WireWriter, tag: number, op: RequestOp): void {
  writer.uint32(tag).fork();
  if (op.request_range !== undefined) {
    writer.uint32(10).fork();
    writeRange(writer, op.request_range);
  } else if (op.request_put !== undefined) {
    writer.uint32(18).fork();
    writePut(writer, op.request_put);
  } else if (op.request_delete_range !== undefined) {
    writer.uint32(26).fork();
    writeDeleteRange(writer, op.request_delete_range);
  } else if (op.request_txn !== undefined) {
    writer.uint32(34).fork();
    writeTxn(writer, op.request_txn);
  } else {
    throw new TypeError('an operation of a transaction is empty');
  }
  writer.ldelim().ldelim();
}

function writeCompare(writer: WireWriter, compare: CompareMessage): void {
  writer.uint32Field(8, compare.result);
  writer.uint32Field(16, compare.target);
  writer.bytesField(26, compare.key);
  if (compare.version !== undefined) writer.int64Always(32, compare.version);
  if (compare.create_revision !== undefined) writer.int64Always(40, compare.create_revision);
  if (compare.mod_revision !== undefined) writer.int64Always(48, compare.mod_revision);
  if (compare.value !== undefined) writer.uint32(58).bytes(compare.value);
  if (compare.lease !== undefined) writer.int64Always(64, compare.lease);
  writer.bytesField(514, compare.range_end);
}
