import { describe, expect, it } from 'vitest';
import { randomOf } from '../random.js';
import { checkRegisters } from './check-registers.js';
import { isLinearizable } from './linearizable.js';
import type { RegisterOperation } from './register-operations.js';

const NEVER = Number.POSITIVE_INFINITY;
const KEY = { key: 'k' };
type Times = readonly [invokedAt: number, returnedAt: number];

const at = ([invokedAt, returnedAt]: Times) => ({
  process: 'p',
  outcome: returnedAt === NEVER ? ('unknown' as const) : ('ok' as const),
  invokedAt,
  returnedAt,
});
const put = (value: string, times: Times): RegisterOperation => ({
  name: 'put',
  input: { ...KEY, value },
  ...at(times),
});
const get = (value: string | null, times: Times): RegisterOperation => ({
  name: 'get',
  input: KEY,
  output: { value },
  ...at(times),
});
function cas(expected: string, value: string, swapped: boolean | undefined, times: Times): RegisterOperation {
  const input = { ...KEY, expected, value };
  return { name: 'cas', input, ...(swapped !== undefined && { output: { swapped } }), ...at(times) };
}

describe('the check of registers', () => {
  it.each<[string, readonly RegisterOperation[]]>([
    ['nothing', []],
    [
      'one after another',
      [get(null, [0, 1]), put('a', [2, 3]), get('a', [4, 5]), cas('a', 'b', true, [6, 7]), get('b', [8, 9])],
    ],
    [
      'a get beside a put: the old value and the new',
      [put('a', [0, 9]), get(null, [1, 2]), get('a', [3, 4])],
    ],
    ['two puts at once, seen in either order', [put('a', [0, 9]), put('b', [0, 9]), get('b', [10, 11])]],
    ['an unknown put that never was', [put('a', [0, NEVER]), get(null, [1, 2]), get(null, [8, 9])]],
    [
      'an unknown put that comes late',
      [put('a', [0, NEVER]), put('b', [1, 2]), get('b', [3, 4]), get('a', [5, 6])],
    ],
    [
      'an unknown compare-and-set that was',
      [put('a', [0, 1]), cas('a', 'b', undefined, [2, NEVER]), get('b', [3, 4])],
    ],
    [
      'a refusal that only an unknown put explains, seen by nobody',
      [put('a', [0, 1]), put('x', [2, NEVER]), cas('a', 'b', false, [3, 4])],
    ],
    [
      'two refusals that each take an unknown put of their own',
      [
        put('x', [0, NEVER]),
        put('y', [0, NEVER]),
        ...[put('a', [1, 2]), cas('a', 'b', false, [3, 4]), put('a', [5, 6]), cas('a', 'c', false, [7, 8])],
      ],
    ],
    ['a failed put that was not', [{ ...put('a', [0, 1]), outcome: 'failed' }, get(null, [2, 3])]],
    [
      'compare-and-sets of which one wins',
      [put('a', [0, 1]), cas('a', 'b', true, [2, 9]), cas('a', 'c', false, [2, 9])],
    ],
    [
      'keys apart',
      [put('a', [0, 1]), { ...get(null, [2, 3]), input: { key: 'other' } } as RegisterOperation],
    ],
  ])('finds nothing in %s', (_what, history) => {
    expect(checkRegisters(history)).toEqual([]);
  });

  it.each<[string, readonly RegisterOperation[]]>([
    ['a stale get', [put('a', [0, 1]), put('b', [2, 3]), get('a', [4, 5])]],
    ['a get from before, after one from after', [put('a', [0, 9]), get('a', [1, 2]), get(null, [3, 4])]],
    ['a value from the future', [get('a', [0, 1]), put('a', [2, 3])]],
    ['an acknowledged put that is lost', [put('a', [0, 1]), get(null, [2, 3])]],
    ['a failed put that is there', [{ ...put('a', [0, 1]), outcome: 'failed' }, get('a', [2, 3])]],
    [
      'two compare-and-sets that both win',
      [put('a', [0, 1]), cas('a', 'b', true, [2, 9]), cas('a', 'c', true, [2, 9])],
    ],
    ['one that is refused though it fits', [put('a', [0, 1]), cas('a', 'b', false, [2, 3])]],
    [
      'a refused one that was applied: a blind retry',
      [put('a', [0, 1]), cas('a', 'b', false, [2, 9]), get('b', [10, 11])],
    ],
    [
      'an unknown put that was applied twice',
      [put('a', [0, NEVER]), get('a', [1, 2]), put('b', [3, 4]), get('b', [5, 6]), get('a', [7, 8])],
    ],
    [
      'two refusals, and one unknown put to explain them',
      [
        put('x', [0, NEVER]),
        ...[put('a', [1, 2]), cas('a', 'b', false, [3, 4]), put('a', [5, 6]), cas('a', 'c', false, [7, 8])],
      ],
    ],
    [
      'a refusal before the unknown puts that would explain it',
      [put('a', [0, 1]), cas('a', 'b', false, [2, 3]), put('x', [4, NEVER]), put('y', [4, NEVER])],
    ],
    [
      'two puts seen in both orders',
      [put('a', [0, 9]), put('b', [0, 9]), get('a', [10, 11]), get('b', [12, 13])],
    ],
  ])('finds %s', (_what, history) => {
    expect(checkRegisters(history)).toHaveLength(1);
  });

  it('judges generated histories as they were made, with 400 operations of 8 processes', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const right = generate(seed);
      expect(checkRegisters(right)).toEqual([]);
      const seen = right.filter(({ name }) => name === 'get');
      const broken = seen[Math.floor(seen.length / 2)];
      if (broken === undefined) throw new Error('nobody got anything');
      const wrong = right.map((each) =>
        each === broken ? { ...get('never put', [each.invokedAt, each.returnedAt]) } : each,
      );
      expect(checkRegisters(wrong)).toHaveLength(1);
    }
  });
});

describe('the search for an order', () => {
  it('takes no longer for a hundred unknown puts that nobody has seen', { timeout: 60_000 }, () => {
    const unknown = Array.from({ length: 100 }, (_, i) => put(`u${i}`, [i, NEVER]));
    const beside = (value: string) =>
      Array.from({ length: 8 }, (_, i) => cas('b', `c${i}`, false, [130 + i, 150 + i])).concat(
        get(value, [160, 161]),
      );
    const before = [put('a', [110, 111]), ...unknown];
    expect(checkRegisters([...before, ...beside('a')])).toEqual([]);
    expect(checkRegisters([...before, ...beside('b')])).toHaveLength(1);
  });

  it('is of any state: a lock that two hold at once fits in no order', () => {
    const take = { apply: (held: boolean) => (held ? undefined : true) };
    const free = { apply: (held: boolean) => (held ? false : undefined) };
    const show = (held: boolean) => String(held);
    const oneByOne = [
      { ...take, invokedAt: 0, returnedAt: 5 },
      { ...take, invokedAt: 0, returnedAt: 9 },
      { ...free, invokedAt: 6, returnedAt: 7 },
    ];
    expect(isLinearizable(oneByOne, false, show)).toBe(true);
    expect(isLinearizable([...oneByOne.slice(0, 2)], false, show)).toBe(false);
  });
});

/** Each takes effect at a point between its invocation and its return; some are never answered. */
function generate(seed: number): RegisterOperation[] {
  const random = randomOf(seed);
  let value = '';
  const made: RegisterOperation[] = [];
  for (let point = 10; point < 4_010; point += 10) {
    const times: Times = [point - random() * 40, random() < 0.02 ? NEVER : point + random() * 40];
    const kind = random();
    if (kind < 0.5) {
      if (times[1] !== NEVER) made.push(get(value || null, times));
    } else if (kind < 0.75) {
      value = `v${point}`;
      made.push(put(value, times));
    } else {
      const expected = random() < 0.5 ? value : 'v10';
      const swapped = value === expected;
      made.push(cas(expected, `v${point}`, times[1] === NEVER ? undefined : swapped, times));
      if (swapped) value = `v${point}`;
    }
  }
  return made;
}
