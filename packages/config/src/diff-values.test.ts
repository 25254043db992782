import { describe, expect, it } from 'vitest';
import { diffJson, diffText } from './diff-values.js';

describe('JSON', () => {
  it.each([
    ['equal, in another order', { a: 1, b: [2] }, { b: [2], a: 1 }, []],
    ['added', {}, { a: { b: 1 } }, [{ type: 'added', path: ['a'], after: { b: 1 } }]],
    ['removed', { a: null }, {}, [{ type: 'removed', path: ['a'], before: null }]],
    [
      'replaced deep inside',
      { a: { b: 1 } },
      { a: { b: 2n } },
      [{ type: 'replaced', path: ['a', 'b'], before: 1, after: 2n }],
    ],
    [
      'of another type',
      { a: [1] },
      { a: { 0: 1 } },
      [{ type: 'replaced', path: ['a'], before: [1], after: { 0: 1 } }],
    ],
    ['a name of the prototype', {}, { toString: 1 }, [{ type: 'added', path: ['toString'], after: 1 }]],
    ['an item in between', ['a', 'c'], ['a', 'b', 'c'], [{ type: 'added', path: [1], after: 'b' }]],
    ['an item gone', [1, 2, 3], [2, 3], [{ type: 'removed', path: [0], before: 1 }]],
    [
      'an item changed in place',
      [{ id: 1, n: 1 }, { id: 2 }],
      [{ id: 1, n: 5 }, { id: 2 }],
      [{ type: 'replaced', path: [0, 'n'], before: 1, after: 5 }],
    ],
    [
      'one gone, two come',
      ['a', 'z'],
      ['b', 'c', 'z'],
      [
        { type: 'removed', path: [0], before: 'a' },
        { type: 'added', path: [0], after: 'b' },
        { type: 'added', path: [1], after: 'c' },
      ],
    ],
  ])('%s', (_name, before, after, differences) => {
    expect(diffJson(before, after)).toEqual(differences);
  });

  it('of two long lists without anything in common comes to an end', () => {
    const list = (from: number) => Array.from({ length: 20_000 }, (_, i) => from + i);
    expect(diffJson(list(0), list(1_000_000))).toHaveLength(20_000);
  });
});

describe('text', () => {
  it('is compared by lines, and nothing of it is lost', () => {
    expect(diffText('a\nb\nc\n', 'a\nB\nc\n')).toEqual([
      { type: 'same', text: 'a\n' },
      { type: 'removed', text: 'b\n' },
      { type: 'added', text: 'B\n' },
      { type: 'same', text: 'c\n' },
    ]);
    expect(diffText('', '')).toEqual([]);
  });

  it('without anything in common comes to an end', () => {
    const text = (word: string) => Array.from({ length: 20_000 }, (_, i) => `${word}${i}\n`).join('');
    const runs = diffText(text('a'), text('b'));
    expect(
      runs
        .filter(({ type }) => type === 'added')
        .map((run) => run.text)
        .join(''),
    ).toBe(text('b'));
  });
});
