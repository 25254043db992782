import { describe, expect, it } from 'vitest';
import type { RequestOp, TxnRequestMessage } from '../kv-messages.js';
import { CompareResult, CompareTarget } from '../kv-messages.js';
import { type BatchLimits, batchLength, type Load, packBatch } from './batch.js';
import { type BatchRules, deleteCall, putCall, rangeCall, txnCall } from './kv-call.js';
import { opsOnPath } from './request-size.js';

const key = (text: string) => Buffer.from(text);
const put = (name: string, value = 'v'): RequestOp => ({
  request_put: { key: key(name), value: key(value) },
});
const get = (name: string): RequestOp => ({ request_range: { key: key(name) } });
const del = (name: string): RequestOp => ({ request_delete_range: { key: key(name) } });
const txn = (request: Partial<TxnRequestMessage>): TxnRequestMessage => ({
  compare: [],
  success: [],
  failure: [],
  ...request,
});
const created = (name: string, revision = 0n) => ({
  key: key(name),
  target: CompareTarget.Create,
  result: CompareResult.Equal,
  create_revision: revision,
});
const SAFE: BatchRules = { nestedTxnSafe: true, putInTxnSafe: true };
const UNSAFE: BatchRules = { nestedTxnSafe: false, putInTxnSafe: false };

function load(
  call: ReturnType<typeof txnCall> | ReturnType<typeof putCall>,
  rules = SAFE,
  expectedBytes = 0,
): Load {
  const cargo = call.load(() => rules);
  if (cargo === undefined) throw new Error('cannot be in a batch');
  return { cargo, expectedBytes };
}

const LIMITS: BatchLimits = { ops: 128, requestBytes: 10_000, responseBytes: 1_000, separateSpace: false };
const puts = (count: number) =>
  Array.from({ length: count }, (_, i) =>
    load(putCall({ key: key(`k${i}`), value: key('') }, 'write', () => SAFE)),
  );

describe('the length of a batch', () => {
  it('keeps to the number of operations that etcd counts, nested ones included', () => {
    expect(batchLength(puts(200), { ...LIMITS, requestBytes: 1e6 })).toBe(128);
    const nested = load(
      txnCall(txn({ compare: [created('x')], success: [put('x'), get('y'), get('z')] }), 'write'),
    );
    const queue = [...puts(125), nested, ...puts(10)];
    const length = batchLength(queue, { ...LIMITS, requestBytes: 1e6 });
    expect(length).toBe(125); // with the nested one: 126 operations and 3 below
    expect(opsOnPath(packBatch([...queue.slice(0, 124), nested]))).toBe(128);
    expect(batchLength([...puts(124), nested], { ...LIMITS, requestBytes: 1e6 })).toBe(125);
  });

  it('keeps to the size of request and answer, and takes at least one', () => {
    const large = (bytes: number) =>
      load(putCall({ key: key('k'), value: Buffer.alloc(bytes) }, 'write', () => SAFE));
    expect(batchLength([large(4_000), large(4_000), large(4_000)], LIMITS)).toBe(2);
    expect(batchLength([large(20_000), large(10)], LIMITS)).toBe(1);
    const read = { ...load(txnCall(txn({ success: [get('a')] }), 'read')), expectedBytes: 600 };
    expect(batchLength([read, read], LIMITS)).toBe(1);
  });

  it('keeps what needs space apart when there is none', () => {
    const deletion = load(txnCall(txn({ compare: [created('a', 5n)], success: [del('a')] }), 'write'));
    expect(batchLength([...puts(2), deletion], LIMITS)).toBe(3);
    expect(batchLength([...puts(2), deletion], { ...LIMITS, separateSpace: true })).toBe(2);
    expect(batchLength([deletion, ...puts(2)], { ...LIMITS, separateSpace: true })).toBe(1);
  });

  it('counts the guards of nested transactions where there are permissions', () => {
    const nested = (i: number) =>
      load(
        txnCall(
          txn({ compare: [created(`a${i}`), created(`b${i}`)], success: [put(`a${i}`), get(`c${i}`)] }),
          'write',
        ),
        UNSAFE,
      );
    const queue = Array.from({ length: 60 }, (_, i) => nested(i));
    const length = batchLength(queue, { ...LIMITS, requestBytes: 1e6 });
    const batch = packBatch(queue.slice(0, length));
    expect(opsOnPath(batch)).toBeLessThanOrEqual(128);
    expect(opsOnPath(packBatch(queue.slice(0, length + 1)))).toBeGreaterThan(128 - 4);
  });
});

describe('a batch', () => {
  const conditional = txn({
    compare: [created('/a')],
    success: [put('/a', 'secret'), get('/list')],
    failure: [get('/a'), del('/b')],
  });

  it('without permissions names one put of a nested transaction in the branch that is not run', () => {
    const reading = txn({ compare: [created('/r')], success: [del('/r')], failure: [get('/r')] });
    const { compare, failure } = packBatch([
      load(txnCall(reading, 'write')),
      load(txnCall(conditional, 'write')),
    ]);
    expect(compare).toEqual([]);
    expect(failure).toEqual([put('/a', '')]);
  });

  it('with permissions names all that a nested transaction reads and writes, without values', () => {
    const { failure } = packBatch([load(txnCall(conditional, 'write'), UNSAFE)]);
    const counted = (name: string) => ({
      request_range: { key: key(name), range_end: undefined, count_only: true },
    });
    expect(failure).toEqual([put('/a', ''), counted('/list'), counted('/a'), del('/b'), counted('/a')]);
  });

  it('cannot hold a transaction whose branches put and delete one key, where there are permissions', () => {
    const call = txnCall(txn({ compare: [created('a')], success: [put('a')], failure: [del('a')] }), 'write');
    expect(call.load(() => UNSAFE)).toBeUndefined();
    expect(call.load(() => SAFE)).toBeDefined();
  });

  it('takes the operations of an unconditional transaction as they are', () => {
    const batch = packBatch([load(txnCall(txn({ success: [put('a'), get('a')] }), 'write')), ...puts(1)]);
    expect(batch).toEqual({ compare: [], success: [put('a'), get('a'), put('k0', '')], failure: [] });
  });
});

describe('the lane of a call', () => {
  const lane = (request: TxnRequestMessage, kind: 'read' | 'write' | 'idempotent' = 'write') =>
    txnCall(request, kind).lane;

  it('keeps apart what would be treated otherwise', () => {
    expect(rangeCall({ key: key('a') }).lane).toBe('read');
    expect(rangeCall({ key: key('a'), serializable: true }).lane).toBe('serializable');
    expect(rangeCall({ key: key('a'), revision: 5n }).lane).toBeUndefined();
    expect(rangeCall({ key: key('a'), revision: 0n }).lane).toBe('read');
    expect(deleteCall({ key: key('a') }, 'idempotent').lane).toBe('idempotent');
    expect(deleteCall({ key: key('a') }, 'write').lane).toBe('write');
    expect(lane(txn({ success: [get('a'), get('b')] }), 'read')).toBe('read');
    expect(lane(txn({ compare: [created('a')], success: [get('a')] }), 'read')).toBeUndefined();
    expect(lane(txn({}), 'read')).toBeUndefined();
    expect(lane(txn({ compare: [created('a')], success: [put('a')] }), 'idempotent')).toBe('idempotent');
    const pinned = { request_range: { key: key('a'), revision: 3n } };
    expect(lane(txn({ success: [put('b'), pinned] }))).toBeUndefined();
    expect(lane(txn({ success: [{ request_txn: txn({ failure: [pinned] }) }] }))).toBeUndefined();
  });

  it('a put with a lease or a previous value goes by itself where a Txn would not check it', () => {
    const lanes = (rules: BatchRules) =>
      [{}, { lease: 7n }, { prev_kv: true }].map(
        (more) => putCall({ key: key('a'), value: key(''), ...more }, 'write', () => rules).lane,
      );
    expect(lanes(UNSAFE)).toEqual(['write', undefined, undefined]);
    expect(lanes(SAFE)).toEqual(['write', 'write', 'write']);
  });

  it('only the deletion of keys as they were seen may be sent again without space', () => {
    const guarded = (request: Partial<TxnRequestMessage>) => txnCall(txn(request), 'write').isGuardedDelete();
    expect(guarded({ compare: [created('a', 5n)], success: [del('a')], failure: [get('a')] })).toBe(true);
    expect(guarded({ compare: [created('a', 5n)], success: [del('b')] })).toBe(false);
    expect(guarded({ compare: [created('a')], success: [del('a')] })).toBe(false);
    expect(guarded({ compare: [created('a', 5n)], success: [del('a'), put('b')] })).toBe(false);
    expect(guarded({ compare: [created('a', 5n)], success: [del('a')], failure: [put('b')] })).toBe(false);
    expect(guarded({ success: [del('a')] })).toBe(false);
    const range = { request_delete_range: { key: key('a'), range_end: key('b') } };
    expect(guarded({ compare: [created('a', 5n)], success: [range] })).toBe(false);
  });
});
