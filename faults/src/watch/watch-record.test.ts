import { expect, it } from 'vitest';
import type { EtcdEvent } from '../etcd-event.js';
import { compactedBefore } from './compactions.js';
import { watchFigures } from './watch-figures.js';
import type { WatchOperation, WatchShapes } from './watch-operations.js';
import { recordsOf } from './watch-record.js';

function operation<Name extends keyof WatchShapes>(
  name: Name,
  input: WatchShapes[Name]['input'],
  output: WatchShapes[Name]['output'],
  process = 'p1',
) {
  return { process, name, input, output, outcome: 'ok', invokedAt: 0, returnedAt: 0 } as const;
}

function recordsFrom(...history: object[]) {
  return recordsOf(history as WatchOperation[]);
}

it('a watch from now on has to tell what it is told to, and what follows the first that it has told', () => {
  const begin = operation('begin', { watch: 'w', prefix: '/', from: 0, resync: 'error' }, {});
  const attached = operation('attached', { watch: 'w', revision: 8 }, {});
  const told = (revision: number) =>
    operation('told', { watch: 'w' }, { told: [{ revision, events: 1, digest: '' }] });
  expect(recordsFrom(begin, attached, told(9))).toMatchObject([{ from: 8 }]);
  expect(recordsFrom(begin, told(5), attached, told(9))).toMatchObject([{ from: 5 }]);
  expect(recordsFrom(begin, told(5))).toMatchObject([{ from: 5, over: undefined }]);
  expect(recordsFrom(begin)).toEqual([]);
});

it('streams count that were answered, but for the first of each client', () => {
  const client = operation('client', {}, {});
  const stream = operation('stream', {}, {});
  const count = (...history: object[]) =>
    watchFigures(history as WatchOperation[])['watch streams lost and opened anew'];
  expect(count(client, client, stream, stream)).toBe(0);
  expect(count(client, client, stream, stream, stream)).toBe(1);
  const other = operation('client', {}, {}, 'p2'); // was killed before it had one
  expect(count(client, other, stream, stream)).toBe(1);
});

it('what was seen after the last compaction is not compacted', () => {
  const log = [1, 2, 3].map((revision) => ({ revision, seenAt: revision * 10 })) as EtcdEvent[];
  const fault = (kind: string, endedAt: number) => ({ kind, where: {}, beganAt: 0, endedAt });
  expect(compactedBefore([], log)).toBe(1);
  expect(compactedBefore([fault('compaction', 15), fault('cut', 25)], log)).toBe(2);
  expect(compactedBefore([fault('compaction', 35)], log)).toBe(Number.POSITIVE_INFINITY);
});
