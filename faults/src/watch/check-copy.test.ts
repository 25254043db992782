import { expect, it } from 'vitest';
import type { EtcdEvent } from '../etcd-event.js';
import { checkCopies } from './check-copy.js';
import { plus, weightOf } from './digest.js';
import type { CopySample, WatchOperation, WatchShapes } from './watch-operations.js';

const put = (key: string, revision: number): EtcdEvent => {
  const [type, value] = ['put', `${key}${revision}`] as const;
  return { type, key: `/w/${key}`, value, createRevision: revision, revision, seenAt: revision };
};
const [A1, B2, A4] = [put('a', 1), put('b', 2), put('a', 4)];
const LOG: readonly EtcdEvent[] = [
  A1,
  B2,
  { ...put('b', 3), type: 'delete', value: '', createRevision: 0 },
  A4,
];

function sample(of: CopySample['of'], revision: number, ...state: EtcdEvent[]): CopySample {
  return { of, revision, keys: state.length, sum: state.map(weightOf).reduce(plus, 0) };
}
const shown = (revision: number, ...state: EtcdEvent[]) => sample('entries', revision, ...state);
const told = (revision: number, ...state: EtcdEvent[]) => sample('changes', revision, ...state);

type Names = 'copy' | 'copied' | 'copied all' | 'listed';
function operation<Name extends Names>(
  name: Name,
  input: WatchShapes[Name]['input'],
  output: WatchShapes[Name]['output'],
) {
  return { process: 'p1', name, input, output, outcome: 'ok', invokedAt: 0, returnedAt: 0 } as const;
}

function check(samples: readonly CopySample[], isOver = true, end?: number) {
  const history = [
    operation('copy', { copy: 'c', prefix: '/w/' }, {}),
    operation('copied', { copy: 'c' }, { samples }),
    ...(isOver ? [operation('copied all', { copy: 'c' }, {})] : []),
  ] as readonly WatchOperation[];
  return checkCopies(history, LOG, end);
}

const RIGHT = [
  shown(1, A1),
  told(1, A1),
  told(2, A1, B2),
  shown(3, A1),
  told(3, A1),
  told(4, A4),
  shown(4, A4),
];

it('finds nothing in a right one, also with a difference, with steps without a change, or one that was killed', () => {
  expect(check(RIGHT)).toEqual([]);
  expect(check([told(1, A1), { ...told(4, A4), resync: true }, shown(5, A4), sample('idle', 6, A4)])).toEqual(
    [],
  );
  expect(check(RIGHT.slice(0, 3), false)).toEqual([]);
  expect(check(RIGHT.slice(0, 5), true, 3)).toEqual([]);
});

it.each<[string, readonly CopySample[]]>([
  ['one that goes back', [...RIGHT, shown(3, A1)]],
  ['one that keeps a deleted key', RIGHT.toSpliced(3, 1, shown(3, A1, B2))],
  ['one that keeps an old value', RIGHT.toSpliced(6, 1, shown(4, A1))],
  ['one that is ahead of its revision', RIGHT.toSpliced(3, 1, shown(2, A1))],
  ['changes that leave out a delete', RIGHT.toSpliced(4, 1, told(3, A1, B2))],
  ['changes that leave out a revision', RIGHT.toSpliced(2, 1)],
  ['a revision that is told twice', RIGHT.toSpliced(3, 0, told(2, A1, B2))],
  ['one that does not come to the end', RIGHT.slice(0, -1)],
  ['changes that do not come to the end', RIGHT.toSpliced(5, 1)],
  ['one that shows nothing', []],
])('finds %s', (_what, samples) => {
  expect(check(samples)).not.toEqual([]);
});

it('finds a list that is not the state', () => {
  const { keys, sum } = shown(4, A4);
  const list = (revision: number) =>
    checkCopies(
      [operation('listed', { prefix: '/w/' }, { revision, keys, sum })] as readonly WatchOperation[],
      LOG,
    );
  expect(list(4)).toEqual([]);
  expect(list(3)).toHaveLength(1);
});
