/** A key with its value and its place in etcd's history. */
export interface KeyValue {
  /** The key as text (without the client's namespace). */
  readonly key: string;
  readonly rawKey: Uint8Array;
  readonly value: Uint8Array;
  /** The value as UTF-8 text. */
  text(): string;
  /** The value parsed as JSON. @throws {SyntaxError} when it is none */
  json(): unknown;
  /** Writes to this key since it was created; 1 = just created. */
  readonly version: number;
  readonly createRevision: bigint;
  readonly modRevision: bigint;
  /** The lease that the key is attached to; 0n = none. */
  readonly leaseId: bigint;
}

/** What was written as text is read as it was, a byte order mark included. */
const TEXT = new TextDecoder('utf-8', { ignoreBOM: true });
/** JSON has none, but editors write one: RFC 8259 lets readers pass over it. */
const JSON_TEXT = new TextDecoder();

/** A key-value pair as it comes from the wire: bytes are views of the whole message. */
export interface WireKeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly version: bigint;
  readonly create_revision: bigint;
  readonly mod_revision: bigint;
  readonly lease: bigint;
}

/**
 * Bytes from the wire are views of a whole response: whoever keeps one small value would keep megabytes.
 * So they are copied, unless they are at least half of what they hold on to.
 */
function detached(bytes: Buffer): Buffer {
  return bytes.length * 2 < bytes.buffer.byteLength ? Buffer.from(bytes) : bytes;
}

export class EtcdKeyValue implements KeyValue {
  readonly key: string;
  readonly rawKey: Uint8Array;
  readonly value: Uint8Array;
  readonly version: number;
  readonly createRevision: bigint;
  readonly modRevision: bigint;
  readonly leaseId: bigint;

  constructor(wire: WireKeyValue, namespaceLength = 0) {
    const rawKey = detached(namespaceLength === 0 ? wire.key : wire.key.subarray(namespaceLength));
    this.rawKey = rawKey;
    this.key = rawKey.toString('utf8');
    this.value = detached(wire.value);
    this.version = Number(wire.version);
    this.createRevision = wire.create_revision;
    this.modRevision = wire.mod_revision;
    this.leaseId = wire.lease;
  }

  text(): string {
    return TEXT.decode(this.value);
  }

  json(): unknown {
    return JSON.parse(JSON_TEXT.decode(this.value));
  }

  toJSON(): Record<string, unknown> {
    return {
      key: this.key,
      value: this.text(),
      version: this.version,
      createRevision: this.createRevision.toString(),
      modRevision: this.modRevision.toString(),
      leaseId: this.leaseId.toString(),
    };
  }
}
