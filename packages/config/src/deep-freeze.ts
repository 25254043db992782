import { isPlainObject } from './json-encode.js';

/** Freezes plain objects and arrays all the way down. Bytes and class instances cannot be, and are left alone. */
export function deepFreeze<T>(value: T): Readonly<T> {
  freeze(value, new Set());
  return value;
}

function freeze(value: unknown, seen: Set<unknown>): void {
  if (!(Array.isArray(value) || isPlainObject(value)) || seen.has(value)) return;
  seen.add(value);
  Object.freeze(value);
  for (const member of Object.values(value)) freeze(member, seen);
}
