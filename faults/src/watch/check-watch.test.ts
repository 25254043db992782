import { describe, expect, it } from 'vitest';
import type { EtcdEvent } from '../etcd-event.js';
import { checkWatches } from './check-watch.js';
import type { Resync, SeenEvent } from './watch-operations.js';
import type { WatchRecord } from './watch-record.js';

type Batch = WatchRecord['batches'][number];

const seen = (key: string, revision: number): SeenEvent => ['put', `/w/${key}`, `${key}${revision}`];
const eventsOf = (revision: number) => [
  seen('a', revision),
  ...(revision % 2 === 1 ? [seen('b', revision)] : []),
];
const LOG: readonly EtcdEvent[] = Array.from({ length: 10 }, (_, i) => i + 1).flatMap((revision) =>
  [...eventsOf(revision), ['put', '/other', 'x'] as const].map(([type, key, value]) => {
    return { revision, type, key, value, createRevision: 1, seenAt: revision };
  }),
);
const batch = (revision: number, events = eventsOf(revision), resync = false): Batch => ({
  revision,
  resync,
  events,
});
const RIGHT = [3, 4, 5, 6, 7, 8, 9, 10].map((revision) => batch(revision));
const resynced = (...state: SeenEvent[]) => [...RIGHT.slice(0, 2), batch(8, state, true), ...RIGHT.slice(6)];

function check(batches: readonly Batch[], resync: Resync = 'difference', over: WatchRecord['over'] = {}) {
  return checkWatches([{ watch: 'w', prefix: '/w/', from: 3, resync, batches, over }], LOG);
}

describe('the check of watches', () => {
  it('finds nothing in a right one, also with a resync, or where its process was killed', () => {
    expect(check(RIGHT)).toEqual([]);
    expect(check(resynced(seen('a', 8), seen('b', 7)))).toEqual([]);
    expect(check(resynced(seen('a', 8), seen('b', 7)), 'snapshot')).toEqual([]);
    expect(check(RIGHT.slice(0, 3), 'error', { error: 'CompactedError' })).toEqual([]);
    expect(
      checkWatches(
        [
          {
            watch: 'w',
            prefix: '/w/',
            from: 3,
            resync: 'error',
            batches: RIGHT.slice(0, 2),
            over: undefined,
          },
        ],
        LOG,
      ),
    ).toEqual([]);
  });

  it.each<[string, readonly Batch[]]>([
    ['a revision twice', [...RIGHT.slice(0, 3), ...RIGHT.slice(2)]],
    ['resumed at the last revision, not after it', [...RIGHT.slice(0, 4), batch(6), ...RIGHT.slice(4)]],
    ['resumed one too far', [...RIGHT.slice(0, 4), ...RIGHT.slice(5)]],
    ['a revision missing at the start', RIGHT.slice(1)],
    ['a revision missing at the end', RIGHT.slice(0, -1)],
    ['two in the wrong order', [batch(4), batch(3), ...RIGHT.slice(2)]],
    [
      'a revision in two halves',
      [...RIGHT.slice(0, 2), batch(5, [seen('a', 5)]), batch(5, [seen('b', 5)]), ...RIGHT.slice(3)],
    ],
    ['half a revision', [...RIGHT.slice(0, 2), batch(5, [seen('a', 5)]), ...RIGHT.slice(3)]],
    [
      'two revisions in one',
      [...RIGHT.slice(0, 2), batch(6, [...eventsOf(5), ...eventsOf(6)]), ...RIGHT.slice(4)],
    ],
    [
      'a value that was never there',
      [...RIGHT.slice(0, 2), batch(5, [seen('a', 5), seen('b', 6)]), ...RIGHT.slice(3)],
    ],
    ['a key of another prefix', [batch(3, [...eventsOf(3), ['put', '/other', 'x']]), ...RIGHT.slice(1)]],
    ['something from before its start', [batch(2), ...RIGHT]],
    ['a resync to an old value', resynced(seen('a', 7), seen('b', 7))],
    ['a resync without a key', resynced(seen('a', 8))],
    [
      'something again after a resync',
      [...resynced(seen('a', 8), seen('b', 7)).slice(0, 3), batch(8), ...RIGHT.slice(6)],
    ],
  ])('finds %s', (_what, batches) => {
    expect(check(batches)).not.toEqual([]);
  });

  it('finds one that ended with an error', () => {
    expect(check(RIGHT, 'difference', { error: 'ConnectionError' })).toHaveLength(1);
    expect(check(RIGHT, 'difference', { error: 'CompactedError' })).toHaveLength(1);
  });
});
