import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { prefixEnd } from '../range.js';
import { CallOrder } from './call-order.js';
import type { Footprint } from './footprint.js';
import { KeySpan } from './key-span.js';
import { OverlapIndex } from './overlap-index.js';

interface Call {
  readonly sequence: number;
  readonly footprint: Footprint;
}

const key = fc
  .array(fc.constantFrom('/', 'a', 'b'), { minLength: 1, maxLength: 5 })
  .map((parts) => Buffer.from(parts.join('')));
const span: fc.Arbitrary<KeySpan> = fc.oneof(
  { weight: 4, arbitrary: key.map((single) => new KeySpan(single)) },
  { weight: 2, arbitrary: key.map((prefix) => new KeySpan(prefix, prefixEnd(prefix))) },
  { weight: 1, arbitrary: key.map((from) => new KeySpan(from, Buffer.of(0))) },
  {
    weight: 1,
    arbitrary: fc.tuple(key, key).map(([a, b]) => (a.compare(b) < 0 ? new KeySpan(a, b) : new KeySpan(b, a))),
  },
);
const footprint: fc.Arbitrary<Footprint> = fc.record({
  reads: fc.array(span, { maxLength: 2 }),
  writes: fc.array(span, { maxLength: 2 }),
});

function inConflict(a: Footprint, b: Footprint): boolean {
  const meet = (some: readonly KeySpan[], others: readonly KeySpan[]) =>
    some.some((one) => others.some((other) => one.overlaps(other)));
  return meet(a.writes, b.writes) || meet(a.writes, b.reads) || meet(a.reads, b.writes);
}

const touches = (reads: readonly string[], writes: readonly string[]): Footprint => ({
  reads: reads.map(spanOf),
  writes: writes.map(spanOf),
});

/** `a/` is every key below it. */
function spanOf(text: string): KeySpan {
  const bytes = Buffer.from(text);
  return text.endsWith('/') ? new KeySpan(bytes, prefixEnd(bytes)) : new KeySpan(bytes);
}

describe('the overlap index', () => {
  it('finds the latest earlier conflict, as a comparison with every call does', () => {
    const step = fc.record({ footprint, leaves: fc.option(fc.nat(), { nil: undefined }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const index = new OverlapIndex<Call>();
        const present: Call[] = [];
        for (const [sequence, { footprint, leaves }] of steps.entries()) {
          const call = { sequence, footprint };
          index.add(call);
          present.push(call);
          if (leaves !== undefined) {
            const [gone] = present.splice(leaves % present.length, 1);
            if (gone !== undefined) index.delete(gone);
          }
          for (const each of present) {
            const expected = present.findLast(
              (other) => other.sequence < each.sequence && inConflict(other.footprint, each.footprint),
            );
            expect(index.latestConflict(each)?.sequence).toBe(expected?.sequence);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('the order of calls', () => {
  let sequence = 0;
  const call = (reads: readonly string[], writes: readonly string[]): Call => ({
    sequence: sequence++,
    footprint: touches(reads, writes),
  });

  it.each<[string, Call, Call, boolean]>([
    ['two reads of a key go together', call(['k'], []), call(['k'], []), true],
    ['a read waits for a write', call([], ['k']), call(['k'], []), false],
    ['a write waits for a read', call(['k'], []), call([], ['k']), false],
    ['a write waits for a write', call([], ['k']), call([], ['k']), false],
    ['another key goes', call([], ['k']), call([], ['l']), true],
    ['a range waits for a write in it', call([], ['q/a/1']), call(['q/'], []), false],
    ['a write waits for the range around it', call(['q/'], []), call([], ['q/a/1']), false],
    ['a range beside goes', call([], ['q/a']), call(['r/'], []), true],
    ['a compare counts as a read', call(['k'], ['l']), call([], ['k']), false],
  ])('%s', (_, first, second, goes) => {
    const order = new CallOrder<Call>();
    expect(order.begin(first)).toBe(true);
    expect(order.begin(second)).toBe(goes);
    expect(order.end(first)).toEqual(goes ? [] : [second]);
  });

  it('a call given up before its turn does not let the next one pass the first', () => {
    const order = new CallOrder<Call>();
    const [first, second, third] = [call([], ['k']), call([], ['k']), call([], ['k'])];
    for (const each of [first, second, third]) order.begin(each);
    expect(order.end(second)).toEqual([]);
    expect(order.end(first)).toEqual([third]);
  });

  it('never runs two in conflict together, keeps their order, and lets every call run', () => {
    fc.assert(
      fc.property(
        fc.array(footprint, { maxLength: 25 }),
        fc.infiniteStream(fc.nat()),
        (footprints, random) => {
          const order = new CallOrder<Call>();
          const calls = footprints.map((each, i) => ({ sequence: i, footprint: each }));
          const running = new Set<Call>();
          const open = new Set<Call>(calls);
          const run = (call: Call) => {
            for (const other of open) {
              if (other.sequence < call.sequence)
                expect(inConflict(other.footprint, call.footprint)).toBe(false);
            }
            running.add(call);
          };
          for (const each of calls) if (order.begin(each)) run(each);
          while (open.size > 0) {
            // Mostly one that runs; now and then one that is given up while it waits.
            const pick: number = random.next().value;
            const from = pick % 7 === 0 ? [...open] : [...running];
            const call = from[pick % from.length];
            expect(call).toBeDefined();
            if (call === undefined) return;
            open.delete(call);
            running.delete(call);
            for (const free of order.end(call)) run(free);
          }
          expect(order.size).toBe(0);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('10,000 calls cost little each, on one key, on many and in many queues', () => {
    const shapes: Record<string, (i: number) => Footprint> = {
      'one key': () => touches([], ['hot']),
      'many keys': (i) => touches([], [`/data/${i}`]),
      'a reader and a writer in turn': (i) => (i % 2 ? touches([], ['hot']) : touches(['hot'], [])),
      'lock queues': (i) => touches([`/locks/${i % 2_000}/`, `/abort/${i}`], [`/locks/${i % 2_000}/${i}`]),
    };
    for (const shape of Object.values(shapes)) {
      const order = new CallOrder<Call>();
      const calls = Array.from({ length: 10_000 }, (_, i) => ({ sequence: i, footprint: shape(i) }));
      const startedAt = performance.now();
      let running = calls.filter((each) => order.begin(each));
      for (let done = 0; done < calls.length; ) {
        const ended = running;
        done += ended.length;
        running = ended.flatMap((each) => [...order.end(each)]);
      }
      // 100 µs a call would be a second: quadratic work takes far longer, linear a hundredth of it.
      expect(performance.now() - startedAt).toBeLessThan(2_000);
      expect(order.size).toBe(0);
    }
  });
});
