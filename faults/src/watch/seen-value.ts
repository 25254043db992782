import { createHash } from 'node:crypto';

const LONGEST = 64;

/** A value as it stands in a history: long ones by their hash. */
export function seenValue(value: string): string {
  if (value.length <= LONGEST) return value;
  return `sha256:${createHash('sha256').update(value).digest('hex')}`;
}
