import { types } from 'node:util';
import { ValidationError } from './errors.js';
import { checkNames, type OptionNames } from './option-names.js';
import { assertValid, type IssueList, readInput } from './validation.js';

/** A key: text, or raw bytes. */
export type Key = string | Uint8Array;

/** A single key, every key with a prefix, or every key from `start` up to but without `end`. */
export type Range = Key | { readonly prefix: Key } | { readonly start: Key; readonly end: Key };

/** A range as etcd's wire format has it: `end` absent = the single key. */
export interface KeyRange {
  readonly key: Buffer;
  readonly end?: Buffer;
}

/** etcd's "every key from `key` on". */
const OPEN_END = Buffer.of(0);

/** The bytes of a key. Refuses what etcd would refuse, and text that UTF-8 cannot tell apart. */
export function keyBytes(key: Key, path = 'key'): Buffer {
  const bytes = textOrBytes(key, path);
  if (bytes.length === 0) throw new ValidationError([{ path, message: 'must not be empty' }]);
  return bytes;
}

/** The bytes of a value or key, as they are now: text as UTF-8. */
export function textOrBytes(input: string | Uint8Array, path: string): Buffer {
  if (typeof input === 'string') {
    if (!input.isWellFormed()) {
      // Lone surrogates all encode to U+FFFD: two names would become one key.
      throw new ValidationError([{ path, message: 'is not well-formed Unicode (lone surrogate)' }]);
    }
    return Buffer.from(input, 'utf8');
  }
  if (!types.isUint8Array(input)) {
    throw new ValidationError([{ path, message: `must be a string or Uint8Array, got ${typeof input}` }]);
  }
  // A copy: the caller may use his buffer for something else before this is sent, or sent again. The view throws
  // for bytes that have been transferred to somebody else.
  return readInput(path, () => Buffer.from(Buffer.from(input.buffer, input.byteOffset, input.byteLength)));
}

export function keyRange(range: Range, path = 'range'): KeyRange {
  if (typeof range === 'string' || types.isUint8Array(range)) return { key: keyBytes(range, path) };
  return readInput(path, () => spanOf(range, path));
}

function spanOf(range: Exclude<Range, Key>, path: string): KeyRange {
  const whole = typeof range === 'object' && range !== null && !Array.isArray(range);
  if (!whole || ('prefix' in range && ('start' in range || 'end' in range))) {
    throw new ValidationError([{ path, message: 'must be a key, { prefix } or { start, end }' }]);
  }
  assertNames(range, 'prefix' in range ? PREFIX_NAMES : SPAN_NAMES, path);
  if ('prefix' in range) {
    const prefix = textOrBytes(range.prefix, `${path}.prefix`);
    return prefix.length === 0 ? { key: OPEN_END, end: OPEN_END } : { key: prefix, end: prefixEnd(prefix) };
  }
  const key = keyBytes(range.start, `${path}.start`);
  const end = keyBytes(range.end, `${path}.end`);
  if (!end.equals(OPEN_END) && Buffer.compare(key, end) >= 0) {
    throw new ValidationError([{ path, message: 'start must sort before end' }]);
  }
  return { key, end };
}

const PREFIX_NAMES: OptionNames = { prefix: true };
const SPAN_NAMES: OptionNames = { start: true, end: true };

function assertNames(range: object, known: OptionNames, path: string): void {
  const issues: IssueList = [];
  checkNames(issues, range, known, `${path}.`);
  assertValid(issues);
}

/** The first key after all keys with this prefix. */
export function prefixEnd(prefix: Uint8Array): Buffer {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const byte = prefix[i] ?? 0xff;
    if (byte < 0xff) {
      const end = Buffer.from(prefix.subarray(0, i + 1));
      end[i] = byte + 1;
      return end;
    }
  }
  return OPEN_END;
}

/** Puts a range under a namespace, so that nothing outside of it can be reached. */
export function inNamespace(namespace: Buffer, range: KeyRange): KeyRange {
  if (namespace.length === 0) return range;
  const key = Buffer.concat([namespace, range.key]);
  if (range.end === undefined) return { key };
  if (range.end.equals(OPEN_END)) {
    const from = range.key.equals(OPEN_END) ? namespace : key;
    return { key: from, end: prefixEnd(namespace) };
  }
  return { key, end: Buffer.concat([namespace, range.end]) };
}

export function rangesOverlap(a: KeyRange, b: KeyRange): boolean {
  return startsBefore(a, b) && startsBefore(b, a);
}

export function rangeContains(range: KeyRange, key: Uint8Array): boolean {
  return rangesOverlap(range, { key: Buffer.from(key.buffer, key.byteOffset, key.byteLength) });
}

/** Whether `a` starts before `b` ends. */
function startsBefore(a: KeyRange, b: KeyRange): boolean {
  if (b.end === undefined) return Buffer.compare(a.key, b.key) <= 0;
  return b.end.equals(OPEN_END) || Buffer.compare(a.key, b.end) < 0;
}
