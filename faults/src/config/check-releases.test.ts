import { describe, expect, it } from 'vitest';
import type { EtcdEvent } from '../etcd-event.js';
import type { Outcome } from '../operation.js';
import { checkReleases } from './check-releases.js';
import { RELEASES, rawKey } from './config-names.js';
import { attempted, KEYS, observed, put, RUN, refuses, release } from './hand-written.js';

const asked = (id: string, outcome: Outcome = 'ok', kind: 'publish' | 'revert' = 'publish') =>
  attempted('release', { id, kind, read: '' }, outcome);
const A = release(2, 1, 'a');
const B = release(3, 2, 'b', { read: 'a' });
const BACK = release(4, 3, 'c', { left: 'a', reverts: 'of-b' });
const ASKED = [asked('a'), asked('b'), asked('c', 'ok', 'revert')];
const check = (log: readonly EtcdEvent[], history = ASKED) => checkReleases(history, log, RUN);

describe('the check of releases', () => {
  it('finds nothing where each stands on the one before, whatever became of unknown ones', () => {
    expect(check([...A, ...B, ...BACK])).toEqual([]);
    expect(check(A, [asked('a', 'unknown'), asked('x', 'unknown'), asked('y', 'failed')])).toEqual([]);
  });

  it('leaves the releases of other runs alone', () => {
    const other = put(5, `${RELEASES}other`, {
      id: 'other',
      msg: 'z',
      keys: [{ key: 'other/app/pair', to: 1 }],
    });
    expect(check([...A, ...B, ...BACK, other])).toEqual([]);
  });

  it.each<[string, EtcdEvent[]]>([
    ['half of one', A.filter(({ key }) => key !== rawKey(KEYS.right))],
    ['one without a record', A.filter(({ key }) => !key.startsWith(RELEASES))],
    ['one whose keys come one after the other', A.map((event, i) => ({ ...event, revision: 2 + i }))],
    ['one that had read another', [...A, ...release(3, 2, 'b', { read: 'x' })]],
    ['a record of other versions', [...A.slice(0, -1), ...release(2, 7, 'a').slice(-1)]],
    [
      'a revert to something else',
      [...A, ...B, ...release(4, 3, 'c', { left: 'b', read: 'a', reverts: 'of-b' })],
    ],
    ['one that is there twice', [...A, ...release(3, 2, 'a', { read: 'a' })]],
  ])('finds %s', (_what, log) => {
    expect(
      check(log, [asked('a', 'unknown'), asked('b', 'unknown'), asked('c', 'unknown')]).length,
    ).toBeGreaterThan(0);
  });

  it.each([
    ['an acknowledged one that is not there', [asked('a'), asked('b')]],
    ['a failed one that is', [asked('a', 'failed')]],
    ['one by nobody', []],
  ])('finds %s', (_what, history) => {
    expect(check(A, history)).toHaveLength(1);
  });

  it('finds half a release that was seen', () => {
    const row = (left: string, right: string, secret: string) => observed('row', {}, { left, right, secret });
    const seen = (...history: Parameters<typeof checkReleases>[0]) =>
      checkReleases([asked('a'), ...history], A, RUN);
    expect(seen(row('', '', ''), row('a', 'a', 'a'))).toEqual([]);
    expect(seen(row('a', '', ''))).toHaveLength(1);
    expect(seen(row('b', 'b', 'a'))).toHaveLength(1);
    expect(seen(refuses('pair', 2))).toHaveLength(1);
  });
});
