import { type IssueList, show } from '@coord/client/internal';
import { FORBIDDEN_NAMES, MAX_DEPTH, MAX_INTEGER_DIGITS } from './json-limits.js';

/** Enough to mend the input; a broken array of a million elements must not fill a log. */
const MAX_ISSUES = 50;

/**
 * JSON text of a value, or issues with the path of everything that would not come back as it went in:
 * `JSON.stringify` silently drops functions and turns NaN into null and a Map into `{}`.
 *
 * A bigint becomes a JSON integer. An integral number beyond 2^53 is written with an exponent, which
 * marks it as a floating-point number for the reader.
 */
export function encodeJson(issues: IssueList, value: unknown, path: string): string {
  return encode({ issues, ancestors: [] }, value, path);
}

interface Encoding {
  readonly issues: IssueList;
  /** The containers around the present value, outermost first. */
  readonly ancestors: object[];
}

function encode(encoding: Encoding, value: unknown, path: string): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'boolean':
      return String(value);
    case 'number':
      return encodeNumber(encoding, value, path);
    case 'bigint':
      return encodeBigInt(encoding, value, path);
    case 'object':
      return value === null ? 'null' : encodeContainer(encoding, value, path);
    default:
      return refuse(encoding, path, `cannot be stored: ${typeof value} is not JSON`);
  }
}

function encodeNumber(encoding: Encoding, value: number, path: string): string {
  if (!Number.isFinite(value)) return refuse(encoding, path, `cannot be stored: ${value} is not JSON`);
  if (Object.is(value, -0)) return '-0';
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? value.toExponential() : String(value);
}

function encodeBigInt(encoding: Encoding, value: bigint, path: string): string {
  const text = value.toString();
  return text.length > MAX_INTEGER_DIGITS
    ? refuse(encoding, path, `must have at most ${MAX_INTEGER_DIGITS} digits`)
    : text;
}

function encodeContainer(encoding: Encoding, value: object, path: string): string {
  const { ancestors } = encoding;
  if (ancestors.includes(value)) return refuse(encoding, path, 'contains itself');
  if (ancestors.length >= MAX_DEPTH)
    return refuse(encoding, path, `is nested deeper than ${MAX_DEPTH} levels`);
  ancestors.push(value);
  const text = Array.isArray(value)
    ? encodeArray(encoding, value, path)
    : encodeObject(encoding, value, path);
  ancestors.pop();
  return text;
}

function encodeArray(encoding: Encoding, array: readonly unknown[], path: string): string {
  return `[${Array.from(array, (item, index) => encode(encoding, item, `${path}[${index}]`)).join(',')}]`;
}

function encodeObject(encoding: Encoding, object: object, path: string): string {
  if (!isPlainObject(object)) {
    const name: unknown = object.constructor?.name;
    return refuse(encoding, path, `must be a plain object, got an instance of ${show(name)}`);
  }
  if (Object.getOwnPropertySymbols(object).length > 0) {
    return refuse(encoding, path, 'has a symbol as a property name');
  }
  const members = Object.entries(object).map(([name, member]) => {
    const memberPath = `${path}.${name}`;
    if (FORBIDDEN_NAMES.has(name)) refuse(encoding, memberPath, 'is a forbidden property name');
    return `${JSON.stringify(name)}:${encode(encoding, member, memberPath)}`;
  });
  return `{${members.join(',')}}`;
}

/** An object literal, also one of another realm (a vm context, a test runner). */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function refuse(encoding: Encoding, path: string, message: string): string {
  if (encoding.issues.length < MAX_ISSUES) encoding.issues.push({ path, message });
  return 'null';
}
