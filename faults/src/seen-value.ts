import { createHash } from 'node:crypto';

const LONGEST = 65_536;

/** A value as it stands in the files of a run: very long ones by their hash. */
export function seenValue(value: string): string {
  if (value.length <= LONGEST) return value;
  return `sha256:${createHash('sha256').update(value).digest('hex')}`;
}
