import protobuf from 'protobufjs/minimal.js';

/**
 * Writes fields of a protobuf message, by the part of protobufjs that needs no generated code: it
 * writes twice as fast as `@bufbuild/protobuf/wire`, reads as fast, and etcd3 brings it anyway.
 * What is absent, empty, zero or false takes no bytes, as
 * proto3 wants it. A tag is the field's number and wire type: `number << 3 | type`.
 */
export class WireWriter extends protobuf.BufferWriter {
  /** Empty is absent: etcd 3.4 takes an empty end of a range for "from this key on". */
  bytesField(tag: number, value: Uint8Array | undefined): void {
    if (value !== undefined && value.length > 0) this.uint32(tag).bytes(value);
  }

  boolField(tag: number, value: boolean | undefined): void {
    if (value) this.uint32(tag).bool(true);
  }

  uint32Field(tag: number, value: number | undefined): void {
    if (value) this.uint32(tag).uint32(value);
  }

  int64Field(tag: number, value: bigint | number | undefined): void {
    if (value) this.uint32(tag).int64(long(value));
  }

  /** Writes a 64-bit number also if it is zero: a member of a `oneof` says by its presence that it is meant. */
  int64Always(tag: number, value: bigint): void {
    this.uint32(tag).int64(long(value));
  }

  /** The message as grpc-js wants it. */
  message(): Buffer {
    const bytes = this.finish();
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
}

/** protobufjs takes numbers, and its own pair of 32-bit halves for what a number cannot hold. */
function long(value: bigint | number): number | protobuf.Long {
  if (typeof value === 'number') return value;
  if (value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER) return Number(value);
  return { low: Number(BigInt.asIntN(32, value)), high: Number(value >> 32n), unsigned: false };
}
