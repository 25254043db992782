import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import {
  bytes,
  checkDecoder,
  enumOf,
  flag,
  header,
  int64,
  keyValue,
  maybe,
  NO_HEADER,
  type Pair,
  plain,
  toPlain,
} from '../test/codec-support.js';
import {
  decodeDeleteRangeResponse,
  decodePutResponse,
  decodeRangeResponse,
  decodeTxnResponse,
} from './decode-response.js';
import { encodeDeleteRange, encodePut, encodeRange, encodeTxn } from './encode-request.js';
import { CoordError } from './errors.js';
import type {
  CompareMessage,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequestMessage,
} from './kv-messages.js';

const rangeRequest: fc.Arbitrary<RangeRequest> = fc.record({
  key: bytes,
  range_end: maybe(bytes),
  limit: maybe(fc.maxSafeNat()),
  revision: maybe(int64),
  sort_order: maybe(enumOf(0, 1, 2)),
  sort_target: maybe(enumOf(0, 1, 2, 3, 4)),
  serializable: flag,
  keys_only: flag,
  count_only: flag,
  min_mod_revision: maybe(int64),
  max_mod_revision: maybe(int64),
  min_create_revision: maybe(int64),
  max_create_revision: maybe(int64),
});
const putRequest: fc.Arbitrary<PutRequest> = fc.record({
  key: bytes,
  value: bytes,
  lease: maybe(int64),
  prev_kv: flag,
  ignore_value: flag,
  ignore_lease: flag,
});
const deleteRequest: fc.Arbitrary<DeleteRangeRequest> = fc.record({
  key: bytes,
  range_end: maybe(bytes),
  prev_kv: flag,
});
const OPERANDS = ['version', 'create_revision', 'mod_revision', 'value', 'lease'] as const;
const compareMessage: fc.Arbitrary<CompareMessage> = fc
  .tuple(bytes, maybe(bytes), enumOf(0, 1, 2, 3), enumOf(0, 1, 2, 3, 4), int64, bytes)
  .map(([key, range_end, result, target, number, value]) => {
    const base = { key, range_end, result, target };
    const operand = OPERANDS[target];
    return operand === 'value' ? { ...base, value } : { ...base, [operand ?? 'lease']: number };
  });
const { txn: txnRequest } = fc.letrec<{ op: RequestOp; txn: TxnRequestMessage }>((tie) => ({
  op: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    putRequest.map((request_put) => ({ request_put })),
    rangeRequest.map((request_range) => ({ request_range })),
    deleteRequest.map((request_delete_range) => ({ request_delete_range })),
    tie('txn').map((request_txn) => ({ request_txn })),
  ),
  txn: fc.record({
    compare: fc.array(compareMessage, { maxLength: 3 }),
    success: fc.array(tie('op'), { maxLength: 4 }),
    failure: fc.array(tie('op'), { maxLength: 2 }),
  }),
}));

function plainTxn({ compare, success, failure }: TxnRequestMessage): object {
  return {
    ...(compare.length > 0 ? { compare: compare.map((each) => plain(each, OPERANDS)) } : {}),
    ...(success.length > 0 ? { success: success.map(plainOp) } : {}),
    ...(failure.length > 0 ? { failure: failure.map(plainOp) } : {}),
  };
}

function plainOp(op: RequestOp): object {
  if (op.request_txn !== undefined) return { request_txn: plainTxn(op.request_txn) };
  return Object.fromEntries(Object.entries(op).map(([name, request]) => [name, plain(request)]));
}

describe('requests that we encode mean the same to etcd', () => {
  it('range', () => {
    fc.assert(
      fc.property(rangeRequest, (each) => {
        expect(toPlain('RangeRequest', encodeRange(each))).toEqual(plain(each));
      }),
    );
  });

  it('put', () => {
    fc.assert(
      fc.property(putRequest, (each) => {
        expect(toPlain('PutRequest', encodePut(each))).toEqual(plain(each));
      }),
    );
  });

  it('delete', () => {
    fc.assert(
      fc.property(deleteRequest, (each) => {
        expect(toPlain('DeleteRangeRequest', encodeDeleteRange(each))).toEqual(plain(each));
      }),
    );
  });

  it('transactions, nested and with compares', () => {
    fc.assert(
      fc.property(txnRequest, (each) => {
        expect(toPlain('TxnRequest', encodeTxn(each))).toEqual(plainTxn(each));
      }),
    );
  });
});

const keyValues = fc.array(keyValue, { maxLength: 4 });
const rangeResponse: fc.Arbitrary<Pair> = fc
  .record({ header: maybe(header), kvs: keyValues, more: fc.boolean(), count: fc.maxSafeNat() })
  .map(({ header, kvs, more, count }) => ({
    theirs: { header: header?.theirs, kvs: kvs.map(({ theirs }) => theirs), more, count },
    ours: { header: header?.ours ?? NO_HEADER, kvs: kvs.map(({ ours }) => ours), more, count },
  }));
const putResponse: fc.Arbitrary<Pair> = fc
  .record({ header: maybe(header), prev_kv: maybe(keyValue) })
  .map(({ header, prev_kv }) => ({
    theirs: { header: header?.theirs, prev_kv: prev_kv?.theirs },
    ours: { header: header?.ours ?? NO_HEADER, prev_kv: prev_kv?.ours },
  }));
const deleteResponse: fc.Arbitrary<Pair> = fc
  .record({ header: maybe(header), deleted: fc.nat(), prev_kvs: keyValues })
  .map(({ header, deleted, prev_kvs }) => ({
    theirs: { header: header?.theirs, deleted, prev_kvs: prev_kvs.map(({ theirs }) => theirs) },
    ours: { header: header?.ours ?? NO_HEADER, deleted, prev_kvs: prev_kvs.map(({ ours }) => ours) },
  }));
const wrap =
  (name: string) =>
  ({ theirs, ours }: Pair): Pair => ({ theirs: { [name]: theirs }, ours: { [name]: ours } });
const { txn: txnResponse } = fc.letrec<{ op: Pair; txn: Pair }>((tie) => ({
  op: fc.oneof(
    { depthSize: 'small' },
    putResponse.map(wrap('response_put')),
    rangeResponse.map(wrap('response_range')),
    deleteResponse.map(wrap('response_delete_range')),
    tie('txn').map(wrap('response_txn')),
  ),
  txn: fc
    .record({
      header: maybe(header),
      succeeded: fc.boolean(),
      responses: fc.array(tie('op'), { maxLength: 4 }),
    })
    .map(({ header, succeeded, responses }) => ({
      theirs: { header: header?.theirs, succeeded, responses: responses.map(({ theirs }) => theirs) },
      ours: {
        header: header?.ours ?? NO_HEADER,
        succeeded,
        responses: responses.map(({ ours }) => ours),
      },
    })),
}));

const DECODERS = [
  ['RangeResponse', rangeResponse, decodeRangeResponse],
  ['PutResponse', putResponse, decodePutResponse],
  ['DeleteRangeResponse', deleteResponse, decodeDeleteRangeResponse],
  ['TxnResponse', txnResponse, decodeTxnResponse],
] as const;

describe.each(DECODERS)('%s', checkDecoder);

it('refuses a response that is nested without end', () => {
  let message = Buffer.alloc(0);
  for (let depth = 0; depth < 2_000; depth++) {
    const writer = protobuf.Writer.create();
    writer.uint32(26).fork().uint32(34).bytes(message).ldelim();
    message = Buffer.from(writer.finish());
  }
  expect(() => decodeTxnResponse(message)).toThrow(/too many messages within one another/);
});

it.each([
  ['beyond its message, into the next field', [10, 1, 24, 5]],
  ['beyond the end of all', [10, 3, 24, 5]],
])('refuses a field that reaches %s', (_where, message) => {
  expect(() => decodeRangeResponse(Buffer.from(message))).toThrow(CoordError);
});

it('refuses an answer of a transaction that holds none', () => {
  expect(() => decodeTxnResponse(Buffer.of(26, 0))).toThrow(CoordError);
});
