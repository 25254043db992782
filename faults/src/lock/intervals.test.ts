import { describe, expect, it } from 'vitest';
import { deadlineAfter, onlyIn, without } from './intervals.js';

const span = (from: number, to: number) => ({ from, to });

describe('intervals', () => {
  it('without others', () => {
    expect(without(span(0, 10), [])).toEqual([span(0, 10)]);
    expect(without(span(0, 10), [span(2, 4), span(8, 12), span(20, 30)])).toEqual([span(0, 2), span(4, 8)]);
    expect(without(span(0, 10), [span(-1, 11)])).toEqual([]);
  });

  it('of some, outside of others', () => {
    expect(onlyIn([span(0, 4), span(3, 9)], [])).toEqual([span(0, 9)]);
    expect(onlyIn([span(0, 4), span(6, 9)], [span(1, 2), span(8, 20)])).toEqual([
      span(0, 1),
      span(2, 4),
      span(6, 8),
    ]);
    expect(onlyIn([span(0, 9)], [span(2, 6), span(4, 7)])).toEqual([span(0, 2), span(7, 9)]);
    expect(onlyIn([], [span(0, 9)])).toEqual([]);
  });

  it('a deadline counts from the end of whatever came between', () => {
    expect(deadlineAfter(10, 5, [])).toBe(15);
    expect(deadlineAfter(10, 5, [span(0, 9), span(16, 20)])).toBe(15);
    expect(deadlineAfter(10, 5, [span(8, 12), span(16, 20)])).toBe(25);
    expect(deadlineAfter(10, 5, [span(0, 12), span(30, 40)])).toBe(17);
  });
});
