import { inspect } from 'node:util';
import {
  ADDRESSES,
  BYTE_NAMES,
  CONTENTS,
  LARGE_CONTENTS,
  NAMES,
  NUMBERS,
  WRONG_TYPES,
} from '@coord/hostile-values';

export interface Hostile {
  readonly name: string;
  readonly value: unknown;
}

const named = (value: unknown): Hostile => ({
  name: inspect(value, { maxStringLength: 40, maxArrayLength: 3 }),
  value,
});
const listed = (values: Readonly<Record<string, unknown>>): Hostile[] =>
  Object.entries(values).map(([name, value]) => ({ name, value }));

/** Those that are small. */
export const HOSTILE: readonly Hostile[] = [
  ...listed(WRONG_TYPES),
  ...listed(CONTENTS),
  ...[...NUMBERS, ...NAMES, ...ADDRESSES, ...BYTE_NAMES].map(named),
];
export const LARGE: readonly Hostile[] = listed(LARGE_CONTENTS);
