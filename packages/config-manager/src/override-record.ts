import { type KeyValue, ValidationError } from '@coord/client';
import { type Content, type ContentType, decodeContent } from '@coord/config/internal';
import type { LayerPart } from './layer.js';

/** The header of an override in etcd: a line of JSON, and the value after it. */
export interface OverrideHeader {
  readonly format: 1;
  readonly contentType: ContentType;
  /** Only for this instance. */
  readonly instance?: string | undefined;
  readonly author?: string | undefined;
  readonly comment?: string | undefined;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** Where the overrides of a key are. No key has a segment "@", so none of another key is below it. */
export function overridePrefix(recordRoot: string, key: string): string {
  return `${recordRoot}/over/${key}/@/`;
}

export function encodeOverride(header: OverrideHeader, content: Content): Uint8Array {
  return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), content.bytes]);
}

export interface Override {
  readonly id: string;
  readonly header: OverrideHeader;
  readonly value: unknown;
  readonly revision: bigint;
}

/** @throws {ValidationError} when it cannot be read */
export function decodeOverride(kv: KeyValue): Override {
  const bytes = kv.value;
  const end = bytes.indexOf(0x0a);
  const header = parseHeader(Buffer.from(bytes.subarray(0, Math.max(end, 0))).toString('utf8'));
  if (header === undefined) {
    throw new ValidationError([{ path: 'override', message: 'is not one of this version of Coord' }]);
  }
  const value = decodeContent({ type: header.contentType, bytes: bytes.subarray(end + 1) }, 'override');
  return { id: kv.key.slice(kv.key.lastIndexOf('/') + 1), header, value, revision: kv.modRevision };
}

/** As layers, the oldest lowest; those for other instances left out. */
export function overrideParts(kvs: readonly KeyValue[], instance: string | undefined): readonly LayerPart[] {
  const oldestFirst = [...kvs].sort((a, b) => (a.createRevision < b.createRevision ? -1 : 1));
  return oldestFirst.flatMap((kv): LayerPart[] => {
    const part = { layer: 'override', key: kv.key.slice(kv.key.lastIndexOf('/') + 1), version: 0 } as const;
    try {
      const { header, value, revision } = decodeOverride(kv);
      if (header.instance !== undefined && header.instance !== instance) return [];
      return [{ ...part, revision, content: { kind: 'value', value } }];
    } catch (error) {
      return [{ ...part, revision: kv.modRevision, content: { kind: 'unusable', error } }];
    }
  });
}

function parseHeader(line: string): OverrideHeader | undefined {
  try {
    const header: unknown = JSON.parse(line);
    return isHeader(header) ? header : undefined;
  } catch {
    return undefined;
  }
}

function isHeader(header: unknown): header is OverrideHeader {
  if (typeof header !== 'object' || header === null) return false;
  const { format, contentType, instance, author, comment, expiresAt } = header as Record<string, unknown>;
  const optional = (value: unknown) => value === undefined || typeof value === 'string';
  return (
    format === 1 &&
    typeof contentType === 'string' &&
    optional(instance) &&
    optional(author) &&
    optional(comment) &&
    typeof expiresAt === 'number'
  );
}
