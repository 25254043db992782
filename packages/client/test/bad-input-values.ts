import { detached, hostile, revoked, throwing } from '@coord/hostile-values';
import { expect } from 'vitest';
import { ValidationError } from '../src/index.js';

export { bad, detached, hostile, revoked, throwing } from '@coord/hostile-values';

/** How a call ended; one that should have given a promise must not have thrown. */
export async function rejection(call: () => Promise<unknown>): Promise<unknown> {
  const promise = call();
  expect(promise).toBeInstanceOf(Promise);
  return await promise.then(
    (value) => expect.fail(`resolved: ${String(value)}`),
    (error: unknown) => error,
  );
}

export function thrown(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return expect.fail('has not thrown');
}

export function expectRefused(error: unknown): void {
  expect(error).toBeInstanceOf(ValidationError);
  expect(error).toMatchObject({ outcome: 'not-applied', code: 'COORD_VALIDATION' });
  const { issues } = error as ValidationError;
  expect(issues.length).toBeGreaterThan(0);
  for (const { path, message } of issues) {
    expect(path).not.toBe('');
    expect(message).not.toBe('');
  }
}

/** What is neither text nor bytes, nor an object of options. */
export const NOTHING_GOOD: Readonly<Record<string, unknown>> = {
  null: null,
  true: true,
  NaN: Number.NaN,
  5: 5,
  '5n': 5n,
  'a symbol': Symbol('s'),
  'a function': () => 'x',
  'an array': ['a'],
  'a revoked proxy': revoked(),
  'a hostile proxy': hostile(),
};
export const WRONG_KEYS: Readonly<Record<string, unknown>> = {
  ...NOTHING_GOOD,
  undefined: undefined,
  'empty text': '',
  'no bytes': new Uint8Array(),
  'bytes that were given away': detached(),
  'an ArrayBuffer': new ArrayBuffer(4),
  '16-bit numbers': new Uint16Array(4),
  'half a surrogate pair': '\ud800',
  'the other half within text': 'a\udfffb',
  'an object': {},
  'a String object': new String('a'),
};
export const WRONG_OPTIONS: Readonly<Record<string, unknown>> = {
  ...NOTHING_GOOD,
  text: 'x',
  'a getter that throws': throwing('signal'),
  'a timeout getter that throws': throwing('timeoutMs'),
};
export const WRONG_MS = [
  Number.NaN,
  Infinity,
  -Infinity,
  -1,
  0,
  2 ** 53 + 1,
  1e12,
  '10',
  null,
  10n,
  {},
  Symbol('s'),
];
export const WRONG_REVISIONS = [
  Number.NaN,
  Infinity,
  -1,
  -1n,
  1.5,
  2 ** 53 + 1,
  2n ** 63n,
  '10',
  null,
  {},
  Symbol('s'),
];
export const WRONG_COUNTS = [
  Number.NaN,
  Infinity,
  -Infinity,
  -1,
  1.5,
  2 ** 53 + 1,
  '10',
  10n,
  null,
  {},
  Symbol('s'),
];
export const WRONG_FLAGS = ['yes', 1, 0, null, {}, Symbol('s')];
export const WRONG_SIGNALS = [
  null,
  5,
  'x',
  {},
  { aborted: false },
  Object.create(AbortSignal.prototype),
  hostile(),
];
