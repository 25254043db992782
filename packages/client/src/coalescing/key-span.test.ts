import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { prefixEnd } from '../range.js';
import { KeySpan } from './key-span.js';

/** Few letters, so that keys meet; among them a slash and the extremes. */
const key = fc
  .array(fc.constantFrom(0x00, 0x2f, 0x61, 0x62, 0xff), { minLength: 1, maxLength: 5 })
  .map((bytes) => Buffer.from(bytes));
const span = fc.oneof(
  key.map((single) => new KeySpan(single)),
  key.map((prefix) => new KeySpan(prefix, prefixEnd(prefix))),
  key.map((from) => new KeySpan(from, Buffer.of(0))),
  fc.tuple(key, key).map(([a, b]) => (a.compare(b) < 0 ? new KeySpan(a, b) : new KeySpan(b, a))),
);

function holdsBytes(key: Buffer, start: Buffer, end: Buffer | undefined): boolean {
  if (end === undefined) return key.equals(start);
  const open = end.equals(Buffer.of(0));
  return key.compare(start) >= 0 && (open || key.compare(end) < 0);
}

describe('a key span', () => {
  it('holds the keys that etcd takes to be in the range', () => {
    fc.assert(
      fc.property(key, key, fc.option(key, { nil: undefined }), (probe, start, end) => {
        expect(new KeySpan(start, end).holds(probe.toString('latin1'))).toBe(holdsBytes(probe, start, end));
      }),
    );
  });

  it('overlaps another when a key can be in both', () => {
    const between = (a: KeySpan, b: KeySpan) => [a.start, b.start].some((k) => a.holds(k) && b.holds(k));
    fc.assert(
      fc.property(span, span, (a, b) => {
        // Of two intervals that meet, one begins within the other. An empty one holds not even its start.
        fc.pre(a.holds(a.start) && b.holds(b.start));
        expect(a.overlaps(b)).toBe(between(a, b));
        expect(b.overlaps(a)).toBe(between(a, b));
      }),
    );
  });

  it('knows what all its keys begin with', () => {
    fc.assert(
      fc.property(span, key, (range, probe) => {
        const text = probe.toString('latin1');
        if (range.holds(text)) expect(text.startsWith(range.commonPrefix)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
    const prefix = Buffer.from('/locks/a/');
    expect(new KeySpan(prefix, prefixEnd(prefix)).commonPrefix).toBe('/locks/a/');
  });
});
