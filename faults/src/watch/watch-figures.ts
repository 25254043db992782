import type { Figures } from '../run/workload.js';
import type { CopySample, ToldBatch, WatchOperation } from './watch-operations.js';
import { recordsOf, type WatchRecord } from './watch-record.js';

const MESSAGE_OF_GRPC = 4 * 1_024 * 1_024;

export function watchFigures(history: readonly WatchOperation[]): Figures {
  const records = recordsOf(history);
  const told = records.flatMap((record) => record.told);
  const batches = told.filter((each): each is ToldBatch => 'revision' in each);
  const samples = history.flatMap((each): readonly CopySample[] =>
    each.name === 'copied' ? (each.output?.samples ?? []) : [],
  );
  const watches = (which: (record: WatchRecord) => unknown) => records.filter(which).length;
  return {
    'events told by watches': batches.reduce((sum, { events }) => sum + events, 0),
    'revisions told by watches': batches.length,
    watches: records.length,
    'watches of slow readers': watches(({ slow }) => slow),
    'watches that leave out puts or deletes': watches(({ ignore }) => ignore),
    'watch streams lost and opened anew': reopenedStreams(history),
    'watches resumed by their callers': told.length - batches.length,
    'resyncs after a compaction': batches.filter(({ resync }) => resync).length,
    'watches refused after a compaction': watches(({ over }) => over?.error !== undefined),
    'catch-ups of more than 4 MiB': history.filter(
      (each) => each.name === 'caught up' && (each.output?.bytes ?? 0) > MESSAGE_OF_GRPC,
    ).length,
    'previous values': batches.reduce((sum, { previous }) => sum + (previous?.events ?? 0), 0),
    'lists before a watch': history.filter(({ name }) => name === 'listed').length,
    'states of live copies': samples.length,
    'steps of copies without a change': samples.filter((sample) => sample.of === 'idle').length,
  };
}

/**
 * Streams of watches on which etcd has answered, all but the first of each client: all watches of a client are on one
 * stream, which it opens again only when that is lost. So one counts once, however many watches go on with it,
 * and attempts to open one that nobody has answered do not count.
 */
function reopenedStreams(history: readonly WatchOperation[]): number {
  const streams = new Map<string, number>();
  for (const { name, process } of history) {
    const step = name === 'stream' ? 1 : name === 'client' ? -1 : 0;
    streams.set(process, (streams.get(process) ?? 0) + step);
  }
  return [...streams.values()].reduce((sum, count) => sum + Math.max(count, 0), 0);
}
