import { createHash } from 'node:crypto';
import { type KeyValue, ValidationError } from '@coord/client';
import { type Content, type ContentType, decodeContent } from '@coord/config/internal';
import type { LayerPart } from './layer.js';

/** Who gets the canary: all that is given must hold. */
export interface CanaryRule {
  /** Of the instances, from 0 to 100; which ones is decided by their names, and stays so when it grows. */
  readonly percent?: number | undefined;
  /** The instances with all of these labels. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** What a manager says of itself. */
export interface InstanceTraits {
  readonly instance: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/** The header of a canary in etcd: a line of JSON, and the value after it. */
export interface CanaryHeader extends CanaryRule {
  readonly format: 1;
  /** Names this canary, and mixes the names of the instances anew for each. */
  readonly id: string;
  readonly contentType: ContentType;
  readonly author?: string | undefined;
  readonly comment?: string | undefined;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
}

export function canaryKey(recordRoot: string, key: string): string {
  return `${recordRoot}/gray/${key}`;
}

export function encodeCanary(header: CanaryHeader, content: Content): Uint8Array {
  return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), content.bytes]);
}

export interface CanaryRecord {
  readonly header: CanaryHeader;
  readonly content: Content;
  readonly value: unknown;
  readonly revision: bigint;
}

/** @throws {ValidationError} when it cannot be read */
export function decodeCanary(kv: KeyValue): CanaryRecord {
  const bytes = kv.value;
  const end = bytes.indexOf(0x0a);
  const header = parseHeader(Buffer.from(bytes.subarray(0, Math.max(end, 0))).toString('utf8'));
  if (header === undefined) {
    throw new ValidationError([{ path: 'canary', message: 'is not one of this version of Coord' }]);
  }
  const content = { type: header.contentType, bytes: bytes.subarray(end + 1) };
  return { header, content, value: decodeContent(content, 'canary'), revision: kv.modRevision };
}

/** Always the same answer for the same instance; who is in at 10 percent is in at 20, too. */
export function isChosen(
  { id, percent, labels }: CanaryRule & { id: string },
  traits: InstanceTraits,
): boolean {
  for (const [name, value] of Object.entries(labels ?? {})) {
    if (!Object.hasOwn(traits.labels, name) || traits.labels[name] !== value) return false;
  }
  if (percent === undefined) return true;
  if (traits.instance === undefined) return false;
  const hash = createHash('sha256').update(`${id}\0${traits.instance}`).digest();
  return (hash.readUInt32BE() / 2 ** 32) * 100 < percent;
}

/** As a layer, for those who get it. It has the version of the key that it stands in for. */
export function canaryPart(
  kv: KeyValue | undefined,
  traits: InstanceTraits,
  version: number,
): readonly LayerPart[] {
  if (kv === undefined) return [];
  const at = { layer: 'canary', version, revision: kv.modRevision } as const;
  try {
    const { header, value } = decodeCanary(kv);
    if (!isChosen(header, traits)) return [];
    return [{ ...at, key: header.id, content: { kind: 'value', value } }];
  } catch (error) {
    return [{ ...at, key: kv.key, content: { kind: 'unusable', error } }];
  }
}

function parseHeader(line: string): CanaryHeader | undefined {
  try {
    const header: unknown = JSON.parse(line);
    return isHeader(header) ? header : undefined;
  } catch {
    return undefined;
  }
}

function isHeader(header: unknown): header is CanaryHeader {
  if (typeof header !== 'object' || header === null) return false;
  const fields = header as Record<string, unknown>;
  const { format, id, contentType, percent, labels, author, comment, startedAt } = fields;
  const optional = (value: unknown, type: string) => value === undefined || typeof value === type;
  return (
    format === 1 &&
    typeof id === 'string' &&
    typeof contentType === 'string' &&
    optional(percent, 'number') &&
    (labels === undefined || isLabels(labels)) &&
    optional(author, 'string') &&
    optional(comment, 'string') &&
    typeof startedAt === 'number'
  );
}

export function isLabels(labels: unknown): labels is Readonly<Record<string, string>> {
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) return false;
  return Object.values(labels).every((value) => typeof value === 'string');
}
