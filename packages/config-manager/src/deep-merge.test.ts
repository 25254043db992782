import { deepFreeze } from '@coord/config/internal';
import { describe, expect, it } from 'vitest';
import { deepMerge } from './deep-merge.js';

describe('deepMerge', () => {
  it.each<[string, unknown, unknown, unknown]>([
    ['a partial value keeps the other defaults', { host: 'a', port: 1 }, { port: 2 }, { host: 'a', port: 2 }],
    [
      'objects merge at every level',
      { a: { b: { c: 1, d: 2 } } },
      { a: { b: { d: 3 } } },
      { a: { b: { c: 1, d: 3 } } },
    ],
    ['new members are added', { a: 1 }, { b: { c: 2 } }, { a: 1, b: { c: 2 } }],
    ['arrays replace', { list: [1, 2, 3] }, { list: [4] }, { list: [4] }],
    ['null replaces', { a: { b: 1 } }, { a: null }, { a: null }],
    ['an object replaces a scalar', { a: 1 }, { a: { b: 1 } }, { a: { b: 1 } }],
    ['a scalar replaces an object', { a: { b: 1 } }, { a: 1 }, { a: 1 }],
    ['an empty value changes nothing', { a: 1 }, {}, { a: 1 }],
    ['a scalar default', 5, 6, 6],
  ])('%s', (_name, defaults, partial, merged) => {
    expect(deepMerge(defaults, partial)).toEqual(merged);
  });

  it('shares nothing with its inputs', () => {
    const defaults = { a: { list: [{ x: 1 }] } };
    const partial = { b: { list: [{ y: 1 }] } };
    const merged = deepMerge(defaults, partial);
    deepFreeze(merged);
    expect(Object.isFrozen(defaults.a.list[0])).toBe(false);
    expect(Object.isFrozen(partial.b.list[0])).toBe(false);
  });

  it('does not reach a prototype', () => {
    deepMerge({ a: 1 }, JSON.parse('{"__proto__":{"polluted":true}}'));
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});
