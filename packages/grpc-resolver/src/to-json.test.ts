import { ValidationError } from '@coord/client';
import { expect, it } from 'vitest';
import { toJson } from './to-json.js';

it('writes what JSON can say', () => {
  expect(toJson('config', { a: [1, null, { b: 'x' }], c: undefined })).toBe('{"a":[1,null,{"b":"x"}]}');
  expect(toJson('config', undefined)).toBe('null');
});

it.each([[() => 1], [Symbol('s')], [1n]])('refuses what JSON would leave out, or cannot say: %s', (value) => {
  expect(() => toJson('config', { timeout: value })).toThrow(ValidationError);
});
