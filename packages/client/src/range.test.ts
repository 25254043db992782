import { describe, expect, it } from 'vitest';
import { inNamespace, keyRange, prefixEnd, rangeContains, rangesOverlap } from './range.js';

const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex');
const bytes = (text: string) => Buffer.from(text, 'hex');

describe('prefixEnd', () => {
  it.each([
    ['61', '62'],
    ['61ff', '62'],
    ['61ffff', '62'],
    ['00', '01'],
    ['fe', 'ff'],
    ['ff', '00'],
    ['ffff', '00'],
  ])('of %s is %s', (prefix, end) => {
    const given = bytes(prefix);
    expect(hex(prefixEnd(given))).toBe(end);
    expect(hex(given)).toBe(prefix); // the caller's bytes stay as they are
  });
});

describe('keyRange', () => {
  it('understands keys, prefixes and ranges', () => {
    expect(keyRange('a')).toEqual({ key: Buffer.from('a') });
    expect(keyRange({ prefix: 'a/' })).toEqual({ key: Buffer.from('a/'), end: Buffer.from('a0') });
    expect(keyRange({ prefix: '' })).toEqual({ key: Buffer.of(0), end: Buffer.of(0) });
    expect(keyRange({ start: 'a', end: '\0' })).toEqual({ key: Buffer.from('a'), end: Buffer.of(0) });
  });

  it.each([
    ['', 'range: must not be empty'],
    ['\ud800', 'lone surrogate'],
    [{ start: 'b', end: 'a' }, 'start must sort before end'],
    [{ start: 'a', end: 'a' }, 'start must sort before end'],
    [{ start: '', end: 'a' }, 'range.start'],
    [{ start: 'a', end: '' }, 'range.end'],
  ])('refuses %j', (range, message) => {
    expect(() => keyRange(range)).toThrow(message);
  });
});

describe('inNamespace', () => {
  const under = (namespace: string, range: Parameters<typeof keyRange>[0]) => {
    const { key, end } = inNamespace(Buffer.from(namespace), keyRange(range));
    return end === undefined ? [key.toString()] : [key.toString(), end.toString()];
  };

  it.each([
    ['a', ['/ns/a']],
    [{ prefix: 'a' }, ['/ns/a', '/ns/b']],
    [{ prefix: '' }, ['/ns/', '/ns0']],
    [{ start: 'a', end: '\0' }, ['/ns/a', '/ns0']],
    [{ start: '\0', end: '\0' }, ['/ns/', '/ns0']],
    [{ start: 'a', end: 'c' }, ['/ns/a', '/ns/c']],
  ] as const)('keeps %j inside', (range, expected) => {
    expect(under('/ns/', range)).toEqual(expected);
  });

  it('a prefix of 0xff, which has no end of its own, ends with the namespace', () => {
    const { end } = inNamespace(Buffer.from('/ns/'), keyRange({ prefix: Uint8Array.of(0xff) }));
    expect(end?.toString()).toBe('/ns0');
  });

  it('an empty namespace changes nothing', () => {
    expect(under('', { prefix: 'a' })).toEqual(['a', 'b']);
  });
});

describe('rangesOverlap', () => {
  const range = (input: Parameters<typeof keyRange>[0]) => keyRange(input);
  it.each([
    ['a', 'a', true],
    ['a', 'b', false],
    [{ prefix: 'a' }, 'ab', true],
    [{ prefix: 'a' }, 'b', false],
    [{ prefix: 'a' }, { prefix: 'ab' }, true],
    [{ prefix: 'a' }, { prefix: 'b' }, false],
    [{ start: 'a', end: 'c' }, { start: 'b', end: 'd' }, true],
    [{ start: 'a', end: 'b' }, { start: 'b', end: 'c' }, false],
    [{ start: 'b', end: '\0' }, 'z', true],
    [{ start: 'b', end: '\0' }, 'a', false],
    [{ prefix: '' }, { start: 'y', end: 'z' }, true],
  ])('%j and %j: %s', (a, b, expected) => {
    expect(rangesOverlap(range(a), range(b))).toBe(expected);
    expect(rangesOverlap(range(b), range(a))).toBe(expected);
  });

  it('rangeContains looks at one key', () => {
    expect(rangeContains(keyRange({ prefix: 'a' }), Buffer.from('ab'))).toBe(true);
    expect(rangeContains(keyRange('a'), Buffer.from('ab'))).toBe(false);
  });
});
