import { createHash } from 'node:crypto';
import { EtcdKeyValue, type KeyValue } from './key-value.js';

/** What a file says about what it holds. */
export interface SnapshotHeader {
  /** The range, with the client's namespace: a file is good for this one alone. */
  readonly range: string;
  /** The cluster, in hexadecimal. */
  readonly cluster: string;
  readonly revision: bigint;
  /** By the wall clock. */
  readonly writtenAt: number;
}

export interface StoredSnapshot extends SnapshotHeader {
  readonly kvs: readonly KeyValue[];
}

const FORMAT = 'coord-cache';
const VERSION = 1;
const DIGEST_BYTES = 32;
/** Two 32-bit lengths and four 64-bit numbers before each key and value. */
const RECORD_HEAD_BYTES = 40;
const RECORDS_PER_CHUNK = 500;
/** A header is one line of JSON, and no longer than this. */
export const MAX_HEADER_BYTES = 16 * 1024;

/** The file's bytes, in pieces: a line of JSON, the records, a SHA-256 over both. */
export function* encodeSnapshot(snapshot: StoredSnapshot): Generator<Buffer> {
  const { range, cluster, revision, writtenAt, kvs } = snapshot;
  const digest = createHash('sha256');
  const header = {
    format: FORMAT,
    version: VERSION,
    range,
    cluster,
    revision: revision.toString(),
    writtenAt,
  };
  const line = Buffer.from(`${JSON.stringify({ ...header, keys: kvs.length })}\n`);
  digest.update(line);
  yield line;
  for (let from = 0; from < kvs.length; from += RECORDS_PER_CHUNK) {
    const chunk = Buffer.concat(kvs.slice(from, from + RECORDS_PER_CHUNK).flatMap(encodeRecord));
    digest.update(chunk);
    yield chunk;
  }
  yield digest.digest();
}

/** How large the file becomes, give or take its header. */
export function encodedBytes({ kvs }: StoredSnapshot): number {
  return kvs.reduce((sum, { rawKey, value }) => sum + RECORD_HEAD_BYTES + rawKey.length + value.length, 0);
}

function encodeRecord(kv: KeyValue): Uint8Array[] {
  const { rawKey, value } = kv;
  const head = Buffer.alloc(RECORD_HEAD_BYTES);
  head.writeUInt32BE(rawKey.length, 0);
  head.writeUInt32BE(value.length, 4);
  head.writeBigInt64BE(BigInt(kv.version), 8);
  head.writeBigInt64BE(kv.createRevision, 16);
  head.writeBigInt64BE(kv.modRevision, 24);
  head.writeBigInt64BE(kv.leaseId, 32);
  return [head, rawKey, value];
}

/** @throws {Error} that says what is wrong with the file */
export function decodeSnapshot(file: Buffer): StoredSnapshot {
  const body = file.subarray(0, -DIGEST_BYTES);
  const digest = createHash('sha256').update(body).digest();
  if (!digest.equals(file.subarray(body.length))) throw new Error('incomplete or damaged: wrong checksum');
  const { header, length } = parseHeader(body);
  const kvs: KeyValue[] = [];
  for (let at = length; at < body.length; ) {
    const keyAt = at + RECORD_HEAD_BYTES;
    const valueAt = keyAt + body.readUInt32BE(at);
    const end = valueAt + body.readUInt32BE(at + 4);
    kvs.push(
      new EtcdKeyValue({
        key: body.subarray(keyAt, valueAt),
        value: body.subarray(valueAt, end),
        version: body.readBigInt64BE(at + 8),
        create_revision: body.readBigInt64BE(at + 16),
        mod_revision: body.readBigInt64BE(at + 24),
        lease: body.readBigInt64BE(at + 32),
      }),
    );
    at = end;
  }
  return { ...header, kvs };
}

/** @throws {Error} that says what is wrong with it */
export function decodeHeader(start: Buffer): SnapshotHeader {
  return parseHeader(start).header;
}

function parseHeader(start: Buffer): { header: SnapshotHeader; length: number } {
  const newline = start.subarray(0, MAX_HEADER_BYTES).indexOf('\n');
  if (newline < 0) throw new Error('no snapshot of a cache');
  const fields: unknown = JSON.parse(start.toString('utf8', 0, newline));
  if (typeof fields !== 'object' || fields === null) throw new Error('no snapshot of a cache');
  const { format, version, range, cluster, revision, writtenAt } = fields as Record<string, unknown>;
  if (format !== FORMAT) throw new Error('no snapshot of a cache');
  if (version !== VERSION) throw new Error(`of version ${String(version)}, which is not known here`);
  if (typeof range !== 'string' || typeof cluster !== 'string' || typeof writtenAt !== 'number') {
    throw new Error('its header is incomplete');
  }
  const header = { range, cluster, revision: BigInt(String(revision)), writtenAt };
  return { header, length: newline + 1 };
}
