import { describe, expect, it } from 'vitest';
import { checkChain } from '../check-chain.js';
import { checkManagers } from './check-manager.js';
import type { ConfigOperation, Setting } from './config-operations.js';

const setting = (id: string, read: string, low = 1, last = false): Setting => ({
  id,
  read,
  low,
  high: 5,
  last,
});
const A = setting('a', '');
const BAD = setting('bad', 'a', 9);
const C = setting('c', 'bad', 3);
const END = setting('end', 'c', 4, true);
const LOG = [A, BAD, C, END];
const DEFAULTS = setting('', '');

function shown(...settings: readonly Setting[]): ConfigOperation[] {
  return settings.map((output, i) => ({
    ...{ process: 'm', input: {}, output, outcome: 'ok', invokedAt: i, returnedAt: i },
    name: i === settings.length - 1 ? 'over' : 'expose',
  }));
}

describe('the check of managers', () => {
  it('finds nothing where each value is valid and newer than the one before, also if some are left out', () => {
    expect(checkManagers(shown(DEFAULTS, A, C, END, END), LOG)).toEqual([]);
    expect(checkManagers(shown(C, END), LOG)).toEqual([]);
    expect(checkManagers(shown(A, C).slice(0, 1), LOG)).toEqual([]); // killed
  });

  it.each<[string, readonly Setting[]]>([
    ['a value that is not valid', [A, BAD, END]],
    ['an older value after a newer one', [C, A, END]],
    ['the defaults after a value', [A, DEFAULTS, END]],
    ['a value that nobody wrote', [A, setting('x', ''), END]],
    ['a value that is half another', [{ ...A, low: 3 }, END]],
    ['an end before the last value', [A, C]],
  ])('finds %s', (_what, settings) => {
    expect(checkManagers(shown(...settings), LOG)).toHaveLength(1);
  });
});

describe('the check of a chain of values', () => {
  const ok = LOG.map(({ id }) => ({ id, outcome: 'ok' as const }));

  it('finds nothing where each stands on the one before, whatever became of unknown ones', () => {
    const others = [
      { id: 'lost', outcome: 'unknown' as const },
      { id: 'refused', outcome: 'failed' as const },
    ];
    expect(checkChain('C2', LOG, [...ok.slice(1), { id: 'a', outcome: 'unknown' }, ...others])).toEqual([]);
  });

  it.each([
    [
      'a value over another that its writer had not read',
      [A, setting('b', ''), setting('c', 'b')],
      ['a', 'b', 'c'],
    ],
    ['an acknowledged value that is not there', [A], ['a', 'b']],
    ['a value that nobody wrote', [A, BAD], ['a']],
  ])('finds %s', (_what, log, written) => {
    expect(
      checkChain(
        'C2',
        log,
        written.map((id) => ({ id, outcome: 'ok' })),
      ),
    ).toHaveLength(1);
  });

  it('finds a failed value that is there, and one that is there twice', () => {
    expect(checkChain('C2', [A], [{ id: 'a', outcome: 'failed' }])).toHaveLength(1);
    expect(checkChain('C2', [A, setting('a', 'a')], [{ id: 'a', outcome: 'ok' }])).toHaveLength(1);
  });
});
