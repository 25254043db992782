import { runInNewContext } from 'node:vm';
import { ValidationError } from '@coord/client';
import type { IssueList } from '@coord/client/internal';
import { describe, expect, it } from 'vitest';
import { type ContentType, decodeContent, encodeContent, MAX_VALUE_BYTES } from './content.js';

function stored(value: unknown): string {
  const issues: IssueList = [];
  const { bytes } = encodeContent(issues, value);
  expect(issues).toEqual([]);
  return Buffer.from(bytes).toString('utf8');
}

function roundTrip(value: unknown): unknown {
  return decodeContent(encodeContent([], value));
}

function read(text: string, type: ContentType = 'auto'): unknown {
  return decodeContent({ type, bytes: Buffer.from(text) });
}

function problems(value: unknown): IssueList {
  const issues: IssueList = [];
  encodeContent(issues, value);
  return issues;
}

class Point {
  x = 1;
}

describe('what is stored', () => {
  it.each([
    ['a string as it is', 'hello', 'hello'],
    ['a string of digits as it is', '123', '123'],
    ['an empty string', '', ''],
    ['a number as JSON', 123, '123'],
    ['null as JSON', null, 'null'],
    ['an object as compact JSON', { a: [1, 'x', true, null] }, '{"a":[1,"x",true,null]}'],
    ['a bigint as a JSON integer', 2n ** 63n, '9223372036854775808'],
    ['a large integral number with an exponent, as the double that it is', 2 ** 60, '1.152921504606847e+18'],
    ['an object without prototype', Object.assign(Object.create(null), { a: 1 }), '{"a":1}'],
    ['an object of another realm', runInNewContext('({ a: [1] })'), '{"a":[1]}'],
  ])('%s', (_name, value, text) => {
    expect(stored(value)).toBe(text);
  });

  it.each([
    'text',
    '123',
    '{"not":"parsed"}',
    '',
    '\ufeffwith a byte order mark',
    0,
    -0,
    1.5,
    1e21,
    2 ** 53,
    2 ** 60,
    Number.MAX_VALUE,
    true,
    null,
    [],
    {},
    2n ** 53n,
    -(2n ** 63n),
    { deep: [{ id: 12345678901234567890n, text: '"12345678901234567890' }] },
    { '\\"': '\\', emoji: '😀', lone: '\ud800' },
    Uint8Array.of(0, 255, 10),
    new Uint8Array(),
  ])('comes back as it went in: %s', (value) => {
    expect(roundTrip(value)).toEqual(value);
  });

  it('keeps its own copy of bytes', () => {
    const bytes = Uint8Array.of(1, 2);
    const content = encodeContent([], bytes);
    bytes[0] = 9;
    expect([...content.bytes]).toEqual([1, 2]);
  });
});

describe('what is refused', () => {
  const circular: { self?: unknown } = {};
  circular.self = circular;
  const deep = Array.from({ length: 65 }).reduce<unknown>((inner) => [inner], 1);

  it.each([
    ['undefined', undefined, 'value'],
    ['a function', () => 1, 'value'],
    ['a symbol', Symbol('s'), 'value'],
    ['an undefined member', { a: { b: undefined } }, 'value.a.b'],
    ['a function in an array', { list: [1, () => 2] }, 'value.list[1]'],
    ['NaN', { a: Number.NaN }, 'value.a'],
    ['Infinity', [Number.POSITIVE_INFINITY], 'value[0]'],
    ['a Map', { m: new Map() }, 'value.m'],
    ['a Date', new Date(), 'value'],
    ['a class instance', { p: new Point() }, 'value.p'],
    ['bytes inside of JSON', { b: Uint8Array.of(1) }, 'value.b'],
    ['a hole', { list: Array(1) }, 'value.list[0]'],
    ['a symbol name', { [Symbol('s')]: 1 }, 'value'],
    ['a cycle', circular, 'value.self'],
    ['too deep', deep, `value${'[0]'.repeat(64)}`],
    ['__proto__', JSON.parse('{"a":{"__proto__":1}}'), 'value.a.__proto__'],
    ['constructor', { constructor: 1 }, 'value.constructor'],
    ['a lone surrogate as text', '\ud800', 'value'],
    ['a huge integer', 10n ** 50n, 'value'],
    ['too large', 'x'.repeat(MAX_VALUE_BYTES + 1), 'value'],
  ])('%s, with its path', (_name, value, path) => {
    expect(problems(value).map((issue) => issue.path)).toEqual([path]);
  });

  it('reports all problems at once, but not a million', () => {
    expect(problems({ a: undefined, b: Number.NaN }).map((issue) => issue.path)).toEqual([
      'value.a',
      'value.b',
    ]);
    expect(problems(Array(1_000).fill(undefined)).length).toBe(50);
  });

  it('takes exactly the largest size', () => {
    expect(problems('x'.repeat(MAX_VALUE_BYTES))).toEqual([]);
  });

  it('repeated but not circular values are fine', () => {
    const shared = { a: 1 };
    expect(stored([shared, shared])).toBe('[{"a":1},{"a":1}]');
  });
});

describe('what others wrote', () => {
  it.each([
    ['JSON', '{"a":1}', { a: 1 }],
    ['a number', '123', 123],
    ['text', 'postgres://db', 'postgres://db'],
    ['nothing', '', ''],
    ['half of JSON', '{"a":', '{"a":'],
    [
      'an int64',
      '{"id":9223372036854775807,"n":-9007199254740993}',
      { id: 9223372036854775807n, n: -9007199254740993n },
    ],
    ['digits in a string', '{"card":"1234567890123456789"}', { card: '1234567890123456789' }],
    [
      'a large float',
      '[1234567890123456789.5, 12345678901234567890e1, 2.5]',
      [1234567890123456800, 123456789012345680000, 2.5],
    ],
    ['more digits than an integer has', '1'.repeat(41), Number('1'.repeat(41))],
  ])('%s', (_name, text, value) => {
    expect(read(text)).toEqual(value);
  });

  it('is bytes when it is not text', () => {
    expect(decodeContent({ type: 'auto', bytes: Uint8Array.of(0xff, 0xfe) })).toEqual(
      Uint8Array.of(0xff, 0xfe),
    );
  });

  it.each(['__proto__', 'constructor', 'prototype'])('cannot reach a prototype through %s', (name) => {
    expect(() => read(`{"a":{"${name}":{"polluted":true}}}`)).toThrow(ValidationError);
    expect(() => read(`{"\\u005f_proto__":1,"n":12345678901234567890}`)).toThrow(ValidationError);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('cannot exhaust the stack or the memory', () => {
    expect(() => read('['.repeat(100_000) + ']'.repeat(100_000))).toThrow(/nested deeper/);
    expect(() => read(`"${'x'.repeat(2 * 1024 * 1024)}"`)).toThrow(/larger than/);
  });

  it('is refused without quoting it when it is not what its type says', () => {
    expect(() => read('{"password":"s3cret"', 'json')).toThrow(ValidationError);
    expect(() => read('{"password":"s3cret"', 'json')).not.toThrow(/s3cret/);
    expect(() => decodeContent({ type: 'text', bytes: Uint8Array.of(0xff) })).toThrow(/UTF-8/);
    expect(() => read('x', 'encrypted' as ContentType)).toThrow(/does not know/);
  });
});
