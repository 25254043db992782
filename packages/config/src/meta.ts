import type { ContentType } from './content.js';
import { decodeJson } from './json-decode.js';
import { isPlainObject } from './json-encode.js';

/** What a version came from. `adopt`: found written by others, and taken into the history. */
export type ConfigOperation = 'put' | 'delete' | 'rollback' | 'adopt';

/** The record kept beside a value and, for each version, in its history. */
export interface Meta {
  readonly version: number;
  readonly operation: ConfigOperation;
  /** Absent: this version is a deletion. */
  readonly contentType: ContentType | undefined;
  readonly createTime: Date;
  readonly updateTime: Date;
  readonly author: string | undefined;
  readonly comment: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  /** The version that a rollback brought back. */
  readonly from: number | undefined;
  /** The release that made this version. */
  readonly release: string | undefined;
  /** Names the write that made this version, so that it is known again after a lost response. */
  readonly nonce: string;
  /** The value was too large to be adopted together with the new one; only the fact is recorded. */
  readonly omitted: boolean;
}

/** One line of JSON with short names, since it is stored with each version of each key. */
export function encodeMeta(meta: Meta): string {
  return JSON.stringify({
    v: meta.version,
    op: meta.operation,
    ct: meta.contentType,
    first: meta.createTime.toISOString(),
    at: meta.updateTime.toISOString(),
    by: meta.author,
    msg: meta.comment,
    md: Object.keys(meta.metadata).length === 0 ? undefined : meta.metadata,
    from: meta.from,
    rel: meta.release,
    tx: meta.nonce,
    omitted: meta.omitted ? true : undefined,
  });
}

/** Undefined when it is not a record that we wrote. Operations of later releases read as `put`. */
export function decodeMeta(text: string): Meta | undefined {
  const record = parseRecord(text);
  if (!isPlainObject(record)) return undefined;
  const { v, op, ct, first, at, by, msg, md, from, rel, tx, omitted } = record;
  if (typeof v !== 'number' || !Number.isSafeInteger(v) || v < 1 || typeof tx !== 'string') return undefined;
  return {
    version: v,
    operation: op === 'delete' || op === 'rollback' || op === 'adopt' ? op : 'put',
    contentType: typeof ct === 'string' ? (ct as ContentType) : undefined,
    createTime: recordedDate(first),
    updateTime: recordedDate(at),
    author: typeof by === 'string' ? by : undefined,
    comment: typeof msg === 'string' ? msg : undefined,
    metadata: isStringRecord(md) ? md : {},
    from: typeof from === 'number' ? from : undefined,
    release: typeof rel === 'string' ? rel : undefined,
    nonce: tx,
    omitted: omitted === true,
  };
}

/** What a record says; undefined when it is no JSON, or not to be trusted. */
export function parseRecord(text: string): unknown {
  try {
    return decodeJson(text, 'meta');
  } catch {
    return undefined;
  }
}

export function recordedDate(value: unknown): Date {
  const date = new Date(typeof value === 'string' ? value : 0);
  return Number.isNaN(date.getTime()) ? new Date(0) : date;
}

export function isStringRecord(value: unknown): value is Record<string, string> {
  return isPlainObject(value) && Object.values(value).every((member) => typeof member === 'string');
}

const NEWLINE = 0x0a;

/** A version in the history: the record on the first line, the value after it. */
export interface HistoryEntry {
  readonly meta: Meta;
  readonly bytes: Uint8Array;
}

export function encodeHistoryEntry(meta: Meta, bytes: Uint8Array | undefined): Buffer {
  return Buffer.concat([Buffer.from(`${encodeMeta(meta)}\n`), bytes ?? new Uint8Array()]);
}

export function decodeHistoryEntry(stored: Uint8Array): HistoryEntry | undefined {
  const end = stored.indexOf(NEWLINE);
  if (end < 0) return undefined;
  const meta = decodeMeta(Buffer.from(stored.subarray(0, end)).toString('utf8'));
  return meta && { meta, bytes: stored.subarray(end + 1) };
}
