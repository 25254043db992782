import { expect, it } from 'vitest';
import { EtcdKeyValue, type KeyValue } from './key-value.js';
import { decodeHeader, decodeSnapshot, encodeSnapshot } from './snapshot-format.js';

function keyValue(key: Buffer, value: Buffer, modRevision = 9223372036854775807n): KeyValue {
  const wire = { key, value, version: 3n, create_revision: 2n, lease: 7587862094096123459n };
  return new EtcdKeyValue({ ...wire, mod_revision: modRevision });
}

const HEADER = {
  range: '6e73:61:62',
  cluster: 'cdf818194e3a8c32',
  revision: 2n ** 60n,
  writtenAt: 1_750_000_000_000,
};
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i));

it('holds bytes of any kind, and 64-bit numbers', () => {
  const kvs = [
    keyValue(everyByte, Buffer.alloc(0)),
    keyValue(Buffer.from('__proto__'), everyByte),
    ...Array.from({ length: 1_234 }, (_, i) =>
      keyValue(Buffer.from(`k${i}`), Buffer.from(`v${i}`), BigInt(i)),
    ),
  ];
  const file = Buffer.concat([...encodeSnapshot({ ...HEADER, kvs })]);
  const { kvs: read, ...header } = decodeSnapshot(file);
  expect(header).toEqual(HEADER);
  expect(decodeHeader(file)).toEqual(HEADER);
  expect(read).toHaveLength(kvs.length);
  for (const [index, kv] of read.entries()) {
    const { rawKey, value, version, createRevision, modRevision, leaseId } = kvs[index] ?? kv;
    expect(kv).toMatchObject({ version, createRevision, modRevision, leaseId });
    expect(Buffer.compare(kv.rawKey, rawKey) + Buffer.compare(kv.value, value)).toBe(0);
  }
});

it('notices every changed byte and every missing end', () => {
  const kvs = [keyValue(Buffer.from('a'), Buffer.from('1')), keyValue(Buffer.from('b'), everyByte)];
  const file = Buffer.concat([...encodeSnapshot({ ...HEADER, kvs })]);
  for (let at = 0; at < file.length; at++) {
    const damaged = Buffer.from(file);
    damaged.writeUInt8((damaged.readUInt8(at) + 1) % 256, at);
    expect(() => decodeSnapshot(damaged), `byte ${at}`).toThrow();
    expect(() => decodeSnapshot(file.subarray(0, at)), `cut at ${at}`).toThrow();
  }
});

it('says what a file is not', () => {
  for (const text of ['', 'x', '{"a":1}\n', 'null\n', '{"format":"coord-cache","version":2}\n']) {
    expect(() => decodeHeader(Buffer.from(text))).toThrow();
  }
  expect(() => decodeHeader(Buffer.from('{"format":"coord-cache","version":2}\n'))).toThrow('version 2');
});
