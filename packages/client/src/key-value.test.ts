import protobuf from 'protobufjs/minimal.js';
import { describe, expect, it } from 'vitest';
import { decodeRangeResponse } from './decode-response.js';
import type { KeyValue } from './key-value.js';
import { TxnCodec } from './txn-codec.js';

const codec = new TxnCodec('');
const KEYS_A_PAGE = 1_000;

/** A page as etcd sends it: keys of 20 bytes with values of a given size. */
function page(first: number, keys: number, valueBytes: number): readonly KeyValue[] {
  const writer = protobuf.Writer.create();
  for (let i = first; i < first + keys; i++) {
    writer.uint32(18).fork();
    writer.uint32(10).bytes(Buffer.from(`/key/${String(i).padStart(15, '0')}`));
    writer.uint32(42).bytes(Buffer.alloc(valueBytes, i)).ldelim();
  }
  const message = Buffer.from(writer.finish());
  return codec.rangeResult(decodeRangeResponse(message), 1n).kvs;
}

/** The memory behind keys and values: what cannot be freed while they are kept. */
function retained(kvs: readonly KeyValue[]): number {
  const buffers = new Set(kvs.flatMap(({ rawKey, value }) => [rawKey.buffer, value.buffer]));
  return [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

describe('what a kept key holds in memory', () => {
  it('is little more than its own bytes, for 100,000 small keys', () => {
    const kept: KeyValue[] = [];
    for (let i = 0; i < 100; i++) kept.push(...page(i * KEYS_A_PAGE, KEYS_A_PAGE, 32));
    expect(kept).toHaveLength(100_000);
    expect(retained(kept)).toBeLessThan(2 * 100_000 * (20 + 32));
  });

  it.each([32, 1_000])('is not the page that it came in: one key of each, with %i bytes', (valueBytes) => {
    const kept: KeyValue[] = [];
    for (let i = 0; i < 10; i++) kept.push(...page(i, 5 * KEYS_A_PAGE, valueBytes).slice(0, 1));
    // Small ones share slabs, which others may be in too: of 8 KiB, and of 64 KiB in Node.js 26.
    expect(retained(kept)).toBeLessThan(10 * (20 + valueBytes + 2 * Buffer.poolSize));
  });

  it('is the response itself where that is mostly its value: no copy', () => {
    const [kv] = page(0, 1, 1_000_000);
    expect(kv?.value.byteLength).toBe(1_000_000);
    expect(kv?.value.buffer.byteLength).toBeLessThan(1_000_200);
    expect(kv?.value.byteOffset).toBeGreaterThan(0);
  });
});

describe('a value with a byte order mark', () => {
  const read = (text: string) =>
    codec.keyValue({
      key: Buffer.from('k'),
      value: Buffer.from(text),
      version: 1n,
      create_revision: 1n,
      mod_revision: 1n,
      lease: 0n,
    });

  it('is the text that was written', () => {
    expect(read('\ufefftext').text()).toBe('\ufefftext');
    expect(read('\ufeff').text()).toHaveLength(1);
  });

  it('is the same JSON as without', () => {
    expect(read('\ufeff{"a":1}').json()).toEqual({ a: 1 });
    expect(() => read('{').json()).toThrow(SyntaxError);
  });
});
