import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
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

/** etcd's messages as etcd3 has them: its proto file is the contract that our codec keeps. */
const PROTO = createRequire(import.meta.url).resolve('etcd3/proto/rpc.proto');
const root = new protobuf.Root();
root.resolvePath = (_origin, target) => resolve(dirname(PROTO), target);
root.loadSync(PROTO, { keepCase: true });
const type = (name: string): protobuf.Type => root.lookupType(`etcdserverpb.${name}`);

/** What a message says, absent fields left out: 64-bit numbers as strings, enums as numbers. */
function toPlain(name: string, bytes: Buffer): object {
  return type(name).toObject(type(name).decode(bytes), { longs: String, bytes: Buffer });
}

function encoded(name: string, plain: object): Buffer {
  return Buffer.from(type(name).encode(type(name).fromObject(plain)).finish());
}

/** The same for a message of ours: what is empty, zero or false is absent, except where a `oneof` is meant. */
function plain(message: object, always: readonly string[] = []): object {
  const fields = Object.entries(message).flatMap(([name, value]) => {
    if (value === undefined) return [];
    if (!always.includes(name) && (!value || (Buffer.isBuffer(value) && value.length === 0))) return [];
    return [[name, typeof value === 'bigint' || name === 'limit' ? String(value) : value]];
  });
  return Object.fromEntries(fields);
}

const bytes = fc.uint8Array({ maxLength: 40 }).map((each) => Buffer.from(each));
const int64 = fc.oneof(fc.bigInt(0n, 300n), fc.bigInt(0n, 2n ** 63n - 1n), fc.constantFrom(0n, 2n ** 53n));
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });
const enumOf = <const N extends number>(...values: N[]): fc.Arbitrary<N> => fc.constantFrom(...values);
const flag = maybe(fc.boolean());

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

/** Messages as etcd3's codec takes them, and as ours gives them. */
interface Pair {
  readonly theirs: object;
  readonly ours: object;
}

const uint64 = fc.bigInt(0n, 2n ** 64n - 1n);
const NO_HEADER = { cluster_id: 0n, revision: 0n };
const header: fc.Arbitrary<Pair> = fc
  .record({ cluster_id: uint64, member_id: uint64, revision: int64, raft_term: uint64 })
  .map(({ cluster_id, revision, ...rest }) => ({
    theirs: strings({ cluster_id, revision, ...rest }),
    ours: { cluster_id, revision },
  }));
const keyValue: fc.Arbitrary<Pair> = fc
  .record({
    key: bytes,
    value: bytes,
    version: int64,
    create_revision: int64,
    mod_revision: int64,
    lease: int64,
  })
  .map((ours) => ({ theirs: strings(ours), ours }));

function strings(fields: object): object {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, typeof value === 'bigint' ? String(value) : value]),
  );
}

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

describe.each(DECODERS)('%s', (name, arbitrary, decode) => {
  it('is read as etcd meant it', () => {
    fc.assert(
      fc.property(arbitrary, ({ theirs, ours }) => {
        expect(decode(encoded(name, theirs))).toEqual(ours);
      }),
    );
  });

  it('may have fields that we do not know', () => {
    const varint = [0xf8, 0x07, 0x96, 0x01];
    const fixed64 = [0xf9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8];
    const text = [0xfa, 0x07, 3, 1, 2, 3];
    const group = [0xfb, 0x07, 0x08, 1, 0xfc, 0x07];
    const fixed32 = [0xfd, 0x07, 1, 2, 3, 4];
    const unknown = Buffer.from([...varint, ...fixed64, ...text, ...group, ...fixed32]);
    fc.assert(
      fc.property(arbitrary, ({ theirs, ours }) => {
        expect(decode(Buffer.concat([unknown, encoded(name, theirs), unknown]))).toEqual(ours);
      }),
    );
  });

  it('is refused with a typed error when it is cut off or damaged', () => {
    let refused = 0;
    const attempt = (message: Buffer): void => {
      try {
        decode(message);
      } catch (error) {
        refused++;
        expect(error).toBeInstanceOf(CoordError);
        expect(error).toMatchObject({ code: 'COORD_PROTOCOL', outcome: 'unknown' });
      }
    };
    const damage = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 3 });
    fc.assert(
      fc.property(arbitrary, fc.nat(400), damage, ({ theirs }, length, changes) => {
        const message = encoded(name, theirs);
        attempt(message.subarray(0, length));
        for (const [at, byte] of changes) if (at < message.length) message[at] = byte;
        attempt(message);
      }),
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => attempt(Buffer.from(noise))));
    expect(refused).toBeGreaterThan(0);
  });
});

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
