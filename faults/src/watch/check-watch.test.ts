import { describe, expect, it } from 'vitest';
import type { EtcdEvent } from '../etcd-event.js';
import { checkWatches } from './check-watch.js';
import { hiddenCompactions } from './compactions.js';
import { type Change, digestOf, inOrderOfKeys } from './digest.js';
import type { Told, ToldBatch } from './watch-operations.js';
import type { WatchRecord } from './watch-record.js';

/**
 * Ten revisions: each puts `a`, those that are odd also `b`, the fourth deletes `c`, which the first had put;
 * the fifth puts `d`, and the sixth deletes it.
 */
const LOG: readonly EtcdEvent[] = Array.from({ length: 10 }, (_, i) => i + 1).flatMap((revision) => [
  put('a', revision),
  ...(revision % 2 === 1 ? [put('b', revision)] : []),
  ...(revision === 1 ? [put('c', revision)] : []),
  ...(revision === 4 ? [gone('c', revision)] : []),
  ...(revision === 5 ? [put('d', revision)] : []),
  ...(revision === 6 ? [gone('d', revision)] : []),
  { ...put('a', revision), key: '/other', value: 'x' },
]);

function put(key: string, revision: number): EtcdEvent {
  const value = `${key}${revision}`;
  return { type: 'put', key: `/w/${key}`, value, createRevision: 1, revision, seenAt: revision };
}

function gone(key: string, revision: number): EtcdEvent {
  return { ...put(key, revision), type: 'delete', value: '', createRevision: 0 };
}

const eventsOf = (revision: number) =>
  LOG.filter((event) => event.revision === revision && event.key.startsWith('/w/'));

function batch(revision: number, events: readonly Change[] = eventsOf(revision)): ToldBatch {
  return { revision, events: events.length, digest: digestOf(events) };
}

function resync(revision: number, events: readonly Change[]): ToldBatch {
  return { ...batch(revision, inOrderOfKeys(events)), resync: true };
}

const RIGHT = [3, 4, 5, 6, 7, 8, 9, 10].map((revision) => batch(revision));
/** 5 to 8 are compacted. */
const resynced = (...state: Change[]) => [...RIGHT.slice(0, 2), resync(8, state), ...RIGHT.slice(6)];

const WATCH: WatchRecord = {
  watch: 'w',
  prefix: '/w/',
  from: 3,
  resync: 'difference',
  told: RIGHT,
  over: {},
};

function check(record: Partial<WatchRecord>, compacted?: number) {
  return checkWatches([{ ...WATCH, ...record }], LOG, compacted);
}

describe('the check of watches: of right ones', () => {
  it.each<[string, Partial<WatchRecord>]>([
    ['one', {}],
    ['a difference', { told: resynced(put('a', 8), put('b', 7)) }],
    ['a snapshot', { told: resynced(put('a', 8), put('b', 7)), resync: 'snapshot' }],
    ['a snapshot without deletes', { told: [resync(10, [put('a', 10), put('b', 9)])], resync: 'snapshot' }],
    [
      'a difference that has to tell of a delete',
      {
        from: 1,
        told: [batch(1), resync(4, [put('a', 4), put('b', 3), gone('c', 4)]), ...RIGHT.slice(2)],
      },
    ],
    [
      'a difference after its caller has resumed it: it does not know what was told before',
      {
        from: 1,
        told: [batch(1), { reopenedAt: 2 }, resync(4, [put('a', 4), put('b', 3)]), ...RIGHT.slice(2)],
      },
    ],
    ['one that is refused', { told: RIGHT.slice(0, 3), resync: 'error', over: refused(7) }],
    ['one whose process was killed', { told: RIGHT.slice(0, 2), over: undefined }],
    ['one that is closed early', { told: RIGHT.slice(0, 2), over: { early: true } }],
    ['one that its caller resumes', { told: [...RIGHT.slice(0, 4), { reopenedAt: 7 }, ...RIGHT.slice(4)] }],
    ['one without puts', { ignore: 'put', told: [batch(4, [gone('c', 4)]), batch(6, [gone('d', 6)])] }],
    ['one without deletes', { ignore: 'delete', told: RIGHT.map((each) => withoutDeletes(each.revision)) }],
    ['one with previous values', { previous: true, told: [3, 4, 5, 6, 7, 8, 9, 10].map(withPrevious) }],
  ])('%s', (_what, record) => {
    expect(check(record)).toEqual([]);
  });

  it('one that ends with the run, though something late is written after it', () => {
    const record = { ...WATCH, told: RIGHT.slice(0, -1) };
    expect(checkWatches([record], LOG, undefined, 9)).toEqual([]);
    expect(checkWatches([record], LOG, undefined, 10)).toHaveLength(1);
  });

  it('previous values that etcd has no longer', () => {
    const told = [3, 4, 5, 6, 7, 8, 9, 10].map((revision) =>
      revision < 6 ? batch(revision) : withPrevious(revision),
    );
    expect(check({ previous: true, told }, 6)).toEqual([]);
    expect(check({ previous: true, told }, 4)).toHaveLength(1);
  });

  it('a difference of nothing, which is not told, but only of what is compacted', () => {
    const log = [put('a', 1), put('d', 2), gone('d', 3), put('a', 4)];
    const told = [batch(1, log.slice(0, 1)), batch(4, log.slice(3))];
    const record = { ...WATCH, from: 1, told };
    expect(checkWatches([record], log, 4)).toEqual([]);
    expect(checkWatches([record], log, 2)).toHaveLength(1);
    expect(checkWatches([{ ...record, resync: 'snapshot' }], log, 4)).toHaveLength(1);
    const half = [
      { ...record, told: [batch(1, log.slice(0, 1)), batch(3, [gone('d', 3)]), ...told.slice(1)] },
    ];
    expect(checkWatches(half, log, 4)).toHaveLength(1); // what was put is there, or it is a difference of nothing
  });
});

function refused(compactRevision: number) {
  return { error: 'CompactedError', compactRevision };
}

function withoutDeletes(revision: number): ToldBatch {
  return batch(
    revision,
    eventsOf(revision).filter(({ type }) => type === 'put'),
  );
}

function withPrevious(revision: number): ToldBatch {
  const before = eventsOf(revision).map(({ key }) => {
    const last = LOG.filter((event) => event.key === key && event.revision < revision).at(-1);
    return last?.type === 'put' ? last : undefined;
  });
  const events = before.filter((event) => event !== undefined).length;
  return { ...batch(revision), previous: { events, digest: digestOf(before) } };
}

describe('the check of watches finds', () => {
  const five = eventsOf(5);
  const instead = (...told: Told[]) => [...RIGHT.slice(0, 2), ...told, ...RIGHT.slice(3)];

  it.each<[string, readonly Told[]]>([
    ['a revision twice', [...RIGHT.slice(0, 3), ...RIGHT.slice(2)]],
    ['resumed at the last revision, not after it', [...RIGHT.slice(0, 4), batch(6), ...RIGHT.slice(4)]],
    ['resumed one too far', [...RIGHT.slice(0, 4), ...RIGHT.slice(5)]],
    ['a revision missing at the start', RIGHT.slice(1)],
    ['a revision missing at the end', RIGHT.slice(0, -1)],
    ['nothing at all', []],
    ['two in the wrong order', [batch(4), batch(3), ...RIGHT.slice(2)]],
    ['a revision in two halves', instead(batch(5, five.slice(0, 1)), batch(5, five.slice(1)))],
    ['half a revision', instead(batch(5, five.slice(0, 1)))],
    ['a revision without its delete', [RIGHT[0] ?? [], withoutDeletes(4), ...RIGHT.slice(2)].flat()],
    ['a revision in another order', instead(batch(5, five.toReversed()))],
    ['two revisions in one', [...RIGHT.slice(0, 2), batch(6, [...five, ...eventsOf(6)]), ...RIGHT.slice(4)]],
    ['a value that was never there', instead(batch(5, [...five.slice(1), { ...put('a', 5), value: 'a6' }]))],
    ['a delete as a put', instead(batch(5, [...five.slice(1), gone('a', 5)]))],
    [
      'a wrong revision of creation',
      instead(batch(5, [{ ...put('a', 5), createRevision: 5 }, ...five.slice(1)])),
    ],
    ['a key of another prefix', [batch(3, [...eventsOf(3), ...LOG.slice(3, 4)]), ...RIGHT.slice(1)]],
    ['something from before its start', [batch(2), ...RIGHT]],
    ['a revision that is not in the log', [...RIGHT, batch(11, eventsOf(10))]],
    ['previous values that nobody asked for', [withPrevious(3), ...RIGHT.slice(1)]],
    ['a resync to an old value', resynced(put('a', 7), put('b', 7))],
    ['a resync without a key', resynced(put('a', 8))],
    ['a resync with a key that is gone', resynced(put('a', 8), put('b', 7), put('d', 5))],
    ['a resync with a delete of what was never told', resynced(put('a', 8), put('b', 7), gone('x', 8))],
    [
      'something again after a resync',
      [...resynced(put('a', 8), put('b', 7)).slice(0, 3), ...RIGHT.slice(5)],
    ],
    ['a batch that is dropped after a resync', resynced(put('a', 8), put('b', 7)).toSpliced(3, 1)],
    ['something lost before a resync', resynced(put('a', 8), put('b', 7)).toSpliced(2, 0, batch(6))],
  ])('%s', (_what, told) => {
    expect(check({ told })).not.toEqual([]);
  });

  it('a resync or a refusal where nothing that it needs is compacted', () => {
    const told = resynced(put('a', 8), put('b', 7));
    expect(check({ told }, 6)).toEqual([]);
    expect(check({ told }, 5)).toHaveLength(1);
    const over = { told: RIGHT.slice(0, 2), resync: 'error' } as const;
    expect(check({ ...over, over: refused(6) }, 8)).toEqual([]);
    expect(check({ ...over, over: refused(5) }, 8)).toHaveLength(1); // it needs 5, and that is there
    expect(check({ ...over, over: refused(9) }, 8)).toHaveLength(1);
    // One that begins from now on, and is refused before it has told anything, may have been further back.
    const fromNow = { from: 6, fromNow: true, resync: 'error', over: refused(5) } as const;
    expect(check({ ...fromNow, told: [] }, 8)).toEqual([]);
    expect(check({ ...fromNow, told: RIGHT.slice(3, 4) }, 8)).toHaveLength(1);
  });

  it('a difference that forgets what was known, and a snapshot of the changes alone', () => {
    const from = { from: 1, over: undefined };
    expect(check({ ...from, told: [batch(1), resync(4, [put('a', 4), put('b', 3)])] })).toHaveLength(1);
    const told = [...RIGHT.slice(0, 5), resync(8, [put('a', 8)])];
    expect(check({ told, over: undefined })).toEqual([]);
    expect(check({ told, over: undefined, resync: 'snapshot' })).toHaveLength(1);
  });

  it('what should be left out, and what should not', () => {
    expect(check({ ignore: 'put' })).not.toEqual([]);
    expect(check({ ignore: 'put', told: [batch(4, [gone('c', 4)])] }, 1)).toHaveLength(1);
    expect(check({ ignore: 'delete' })).toHaveLength(2);
  });

  it('a wrong previous value, and one that is missing', () => {
    const told = [3, 4, 5, 6, 7, 8, 9, 10].map(withPrevious);
    const wrong = {
      ...withPrevious(7),
      previous: { events: 2, digest: digestOf([put('a', 5), put('b', 5)]) },
    };
    expect(check({ previous: true, told: told.with(4, wrong) }, 2)).toHaveLength(1);
    expect(check({ previous: true, told: told.with(4, batch(7)) }, 2)).toHaveLength(1);
    expect(check({ previous: true, told: told.with(4, wrong) }, 9)).toHaveLength(1);
  });

  it('one that ended with an error', () => {
    expect(check({ over: { error: 'ConnectionError' } })).toHaveLength(1);
    expect(check({ over: refused(11) })).toHaveLength(1);
  });
});

describe('etcd that can forget to tell of a compaction', () => {
  const skipped = { ...WATCH, told: [...RIGHT.slice(0, 2), ...RIGHT.slice(5)] }; // 5, 6 and 7 are missing
  const judge = (hidden: readonly number[]) => checkWatches([skipped], LOG, 7, undefined, hidden);

  it('may leave out what lies around one, and nothing else', () => {
    expect(judge([7])).toEqual([]);
    expect(judge([])).toHaveLength(1);
    expect(judge([5])).toHaveLength(1); // the watch had its place still
    expect(judge([8])).toHaveLength(1); // it came later than the watch went on
  });

  it('is one before 3.4.31 and 3.5.13', () => {
    const compaction = { kind: 'compaction', where: {}, beganAt: 6, endedAt: 7 };
    const hidden = (versions: string) => hiddenCompactions(versions, [compaction], LOG);
    for (const bad of ['3.4.23', '3.4.30', '3.5.0', '3.5.12', '3.4.23 to 3.5.16'])
      expect(hidden(bad)).toEqual([7]);
    for (const sound of ['3.4.31', '3.4.45', '3.5.13', '3.5.16', '3.6.0']) expect(hidden(sound)).toEqual([]);
  });
});
