import { describe, expect, it } from 'vitest';
import { ValidationError } from './errors.js';
import { TxnCodec } from './txn-codec.js';

/** The paths of what is wrong with some input. */
function pathsOf(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof ValidationError) return error.issues.map(({ path }) => path);
    throw error;
  }
  return [];
}

describe('TxnCodec', () => {
  it('refuses a key that is none, also as the first one of all', () => {
    for (const key of [undefined, null, '', 1]) {
      const codec = new TxnCodec('');
      expect(pathsOf(() => Reflect.apply(codec.key, codec, [key]))).toEqual(['key']);
      expect(pathsOf(() => Reflect.apply(codec.range, codec, [key]))).toEqual(['range']);
      const put = () => Reflect.apply(codec.putRequest, codec, [key, 'x', {}]);
      expect(pathsOf(put)).toEqual(['put.key']);
    }
  });

  it('gives each key its own bytes, under the namespace, however often and in whatever order it is named', () => {
    const codec = new TxnCodec('ns/');
    for (const key of ['a', 'a', 'b', 'a', 'b', 'b']) {
      expect(codec.key(key).toString()).toBe(`ns/${key}`);
      expect(codec.range(key)).toEqual({ key: Buffer.from(`ns/${key}`) });
      expect(codec.key(Buffer.from(key)).toString()).toBe(`ns/${key}`);
    }
  });

  it('says where in a transaction something is wrong', () => {
    const codec = new TxnCodec('');
    const good = { get: 'a' };
    const bad = { compare: [{ key: 'a', target: 'mod', is: '=', to: -1 }] };
    const paths = (txn: unknown) => pathsOf(() => Reflect.apply(codec.txnRequest, codec, [txn, []]));
    expect(paths({ success: [good, { put: { key: '', value: 'x' } }] })).toEqual(['txn.success[1].put.key']);
    expect(paths({ failure: [good, { txn: { success: [good, { txn: bad }] } }] })).toEqual([
      'txn.failure[1].txn.success[1].txn.compare[0].to',
    ]);
    expect(paths({ success: [{}] })).toEqual(['txn.success[0]']);
    expect(paths({ success: [good, undefined] })).toEqual(['txn.success[1]']);
    expect(paths({ compare: {} })).toEqual(['txn.compare']);
    expect(paths({ success: [{ get: { prefix: 1 } }] })).toEqual(['txn.success[0].get.prefix']);
    expect(paths([])).toEqual(['txn']);
  });
});
