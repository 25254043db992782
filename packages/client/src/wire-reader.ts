import protobuf from 'protobufjs/minimal.js';

/** How deep messages may lie in one another; etcd's own limit for transactions is far below. */
const MAX_DEPTH = 100;

/** Reads fields of a protobuf message. Throws when the bytes are none. */
export class WireReader extends protobuf.BufferReader {
  readonly #message: Buffer;
  #depth = 0;

  constructor(message: Buffer) {
    super(message);
    this.#message = message;
  }

  /** Bytes as a view of the message: whoever keeps them keeps all of it. */
  view(): Buffer {
    const length = this.uint32();
    const start = this.pos;
    this.skip(length);
    return this.#message.subarray(start, this.pos);
  }

  bigint(): bigint {
    const { high, low } = this.int64();
    return high === 0 ? BigInt(low >>> 0) : (BigInt(high) << 32n) | BigInt(low >>> 0);
  }

  /** A message inside of this one. */
  nested<T>(read: (reader: WireReader, end: number) => T): T {
    const length = this.uint32();
    const end = this.pos + length;
    if (++this.#depth > MAX_DEPTH) throw new RangeError('too many messages within one another');
    const value = read(this, end);
    this.#depth--;
    if (this.pos !== end) throw new RangeError('a field ends beyond its message');
    return value;
  }
}
