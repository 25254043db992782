import { randomUUID } from 'node:crypto';
import { assertValid, type IssueList } from '@coord/client/internal';
import { FORBIDDEN_NAMES, MAX_DEPTH, MAX_INTEGER_DIGITS } from './json-limits.js';

/**
 * Parses JSON that anybody may have written. Integers beyond 2^53 come back as bigint, not rounded.
 * @throws {SyntaxError} when it is no JSON
 * @throws {ValidationError} for forbidden property names and for nesting beyond the limit
 */
export function decodeJson(text: string, path: string): unknown {
  const value: unknown = JSON.parse(text);
  const issues: IssueList = [];
  checkStructure(issues, value, path, 0);
  assertValid(issues);
  return /\d{16}/.test(text) ? withBigIntegers(text) : value;
}

export function checkStructure(issues: IssueList, value: unknown, path: string, depth: number): void {
  if (typeof value !== 'object' || value === null || issues.length > 0) return;
  if (depth >= MAX_DEPTH) {
    issues.push({ path, message: `is nested deeper than ${MAX_DEPTH} levels` });
    return;
  }
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) checkStructure(issues, item, `${path}[${index}]`, depth + 1);
    return;
  }
  for (const [name, member] of Object.entries(value)) {
    const memberPath = `${path}.${name}`;
    if (FORBIDDEN_NAMES.has(name)) issues.push({ path: memberPath, message: 'is a forbidden property name' });
    checkStructure(issues, member, memberPath, depth + 1);
  }
}

/** A string, or a number: in valid JSON digits are nowhere else. */
const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Node 20's JSON.parse does not show the source of a number, so large integers go through it as marked strings. */
function withBigIntegers(text: string): unknown {
  const mark = `${randomUUID()}:`;
  const marked = text.replace(STRING_OR_NUMBER, (token) =>
    isLargeInteger(token) ? `"${mark}${token}"` : token,
  );
  return JSON.parse(marked, (_name, value: unknown) =>
    typeof value === 'string' && value.startsWith(mark) ? BigInt(value.slice(mark.length)) : value,
  );
}

function isLargeInteger(token: string): boolean {
  return token.length <= MAX_INTEGER_DIGITS && /^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token));
}
