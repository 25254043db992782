import { describe, expect, it } from 'vitest';
import { checkShown } from './check-shown.js';
import { canaryKey, instanceKey, overridePrefix, rawKey } from './config-names.js';
import type { ConfigOperation } from './config-operations.js';
import { ends, gone, KEYS, put, RUN, refuses, shows } from './hand-written.js';

const setting = (id: string, low = 1) => ({ id, read: '', low, high: 5, last: false });
const BOUNDS = [
  put(2, rawKey(KEYS.bounds), setting('a')),
  put(3, rawKey(KEYS.bounds), setting('bad', 9)),
  put(4, rawKey(KEYS.bounds), 'rubbish'),
  put(5, rawKey(KEYS.bounds), setting('c', 3)),
];

describe('the check of managers', () => {
  it.each<[string, readonly ConfigOperation[]]>([
    [
      'each valid value after the other',
      [
        shows('bounds', setting('a')),
        refuses('bounds', 3),
        refuses('bounds', 4),
        shows('bounds', setting('c', 3)),
        ends('bounds', setting('c', 3)),
      ],
    ],
    ['only some of them', [shows('bounds', setting('c', 3)), ends('bounds', setting('c', 3))]],
    ['a manager that was killed', [shows('bounds', setting('a'))]],
  ])('finds nothing in %s', (_what, history) => {
    expect(checkShown(history, BOUNDS, RUN)).toEqual([]);
  });

  it.each<[string, readonly ConfigOperation[]]>([
    ['a value that is not valid', [shows('bounds', setting('bad', 9))]],
    ['an older value after a newer one', [shows('bounds', setting('c', 3)), shows('bounds', setting('a'))]],
    ['the defaults after a value', [shows('bounds', setting('a')), shows('bounds', {})]],
    ['a value that nobody wrote', [shows('bounds', setting('x'))]],
    ['a value that is half another', [shows('bounds', setting('a', 3))]],
    ['a valid value that is refused', [refuses('bounds', 5)]],
    ['a refusal of what never came', [refuses('bounds', 6)]],
    ['an end before the last value', [ends('bounds', setting('a'))]],
  ])('finds %s', (_what, history) => {
    expect(checkShown(history, BOUNDS, RUN).length).toBeGreaterThan(0);
  });

  it('wants the last value refused, where it is rubbish, and told', () => {
    const log = [put(2, rawKey(KEYS.junk), { id: 'a' }), put(3, rawKey(KEYS.junk), '{"id":')];
    expect(checkShown([refuses('junk', 3), ends('junk', { id: 'a' }, 3)], log, RUN)).toEqual([]);
    expect(checkShown([ends('junk', { id: 'a' }, 3)], log, RUN)).toHaveLength(1);
    expect(checkShown([refuses('junk', 3), ends('junk', { id: 'a' }, 2)], log, RUN)).toHaveLength(1);
  });

  it('takes the layers of a component at one revision', () => {
    const log = [
      ...[put(2, rawKey(KEYS.left), { left: 'a', read: '' }), put(2, rawKey(KEYS.right), { right: 'a' })],
      ...[put(3, rawKey(KEYS.left), { left: 'b', read: 'a' }), put(3, rawKey(KEYS.right), { right: 'b' })],
    ];
    const b = { left: 'b', right: 'b', read: 'a' };
    expect(checkShown([shows('pair', b), ends('pair', b)], log, RUN)).toEqual([]);
    expect(checkShown([shows('pair', { ...b, right: 'a' })], log, RUN).length).toBeGreaterThan(0);
  });

  it('knows who has a canary, what holds for one instance, and what is laid over it all', () => {
    const canary = (revision: number, rule: object, base: string) =>
      put(revision, canaryKey(KEYS.tuned), `${JSON.stringify(rule)}\n{"base":"${base}"}`);
    const over = (name: string) => `${overridePrefix(KEYS.tuned)}${name}`;
    const log = [
      put(2, rawKey(KEYS.tuned), { base: 'a' }),
      canary(3, { labels: { half: '0' } }, 'even'),
      canary(4, { percent: 100 }, 'all'),
      canary(5, { percent: 0 }, 'none'),
      put(6, rawKey(instanceKey(KEYS, 2)), { own: 'two' }),
      put(7, over('y'), '{}\n{"over":"first"}'),
      put(8, over('x'), '{}\n{"over":"second"}'),
      gone(9, over('x')),
      gone(10, over('y')),
    ];
    const two = [
      ...[{ base: 'a' }, { base: 'even' }, { base: 'all' }, { base: 'a' }, { base: 'a', own: 'two' }],
      ...['first', 'second', 'first', ''].map((each) => ({ base: 'a', own: 'two', over: each })),
    ];
    expect(
      checkShown(
        two.map((value) => shows('tuned', value)),
        log,
        RUN,
      ),
    ).toEqual([]);
    expect(checkShown([shows('tuned', { base: 'even' }, 3)], log, RUN)).toHaveLength(1);
    expect(checkShown([shows('tuned', { base: 'none' })], log, RUN)).toHaveLength(1);
    expect(checkShown([shows('tuned', { base: 'a', own: 'two' }, 3)], log, RUN)).toHaveLength(1);
  });

  it('takes the revision of a refusal as that of the newest layer that is there', () => {
    const canary = (revision: number, rule: object, base: string) =>
      put(revision, canaryKey(KEYS.tuned), `${JSON.stringify(rule)}\n{"base":"${base}"}`);
    const over = `${overridePrefix(KEYS.tuned)}x`;
    const log = [
      put(2, rawKey(KEYS.tuned), { base: 'a' }),
      canary(3, { labels: { half: '0' } }, 'even'),
      put(4, rawKey(KEYS.tuned), { base: 'bad' }), // beneath the canary
      gone(5, canaryKey(KEYS.tuned)), // and now in the open
      put(6, rawKey(KEYS.tuned), { base: 'b' }),
      canary(7, { percent: 100 }, 'bad'),
      canary(8, { labels: { half: '0' } }, 'bad'),
      put(9, rawKey(instanceKey(KEYS, 2)), { own: 'two' }),
      put(10, over, '{}\n{"over":"x"}'),
      gone(11, over),
      put(12, rawKey(KEYS.tuned), { base: 'c' }),
      gone(13, canaryKey(KEYS.tuned)),
      put(14, rawKey(KEYS.tuned), { base: 'd' }),
    ];
    const found = (revision: number) => checkShown([refuses('tuned', revision)], log, RUN).length;
    for (const right of [4, 7, 8, 9, 10, 12]) expect(found(right), `revision ${right}`).toBe(0);
    for (const wrong of [2, 3, 5, 6, 11, 13, 14, 15]) expect(found(wrong), `revision ${wrong}`).toBe(1);
  });
});
