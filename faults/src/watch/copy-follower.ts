import { AbortedError, type CoordClient, type WatchCache } from '@coord/client';
import { minus, plus, weightOf } from './digest.js';
import { putOf } from './seen.js';
import { moment, type Surroundings } from './surroundings.js';
import { asidePrefix, IDLE, watchPrefix } from './watch-names.js';
import type { CopySample } from './watch-operations.js';

const UPDATES_A_MOMENT = 100;
/** The planted mistake shows what the copy was so many samples ago. */
const BACK = 5;

/** Keys by their part in the sum of the state. */
type Copy = WatchCache<number>;

/** Compares what a live copy holds, and what it tells of, with the log, at each of its updates. */
export async function followCopy(
  surroundings: Surroundings,
  client: CoordClient,
  group: number | undefined,
): Promise<void> {
  const { context, samples, end } = surroundings;
  const { process, run } = context.assignment;
  const prefix = watchPrefix(run, group);
  const copy = `${process}-copy-${group ?? 'all'}`;
  context.recorder.observe('copy', { copy, prefix }, {});
  await using cache: Copy = client.cache({ prefix }, { decode: (kv) => weightOf(putOf(kv)) });
  await cache.ready;
  await using changes = cache.changes();
  const told = new Map(cache.entries());
  let sum = [...told.values()].reduce(plus, 0);
  const note = (sample: Omit<CopySample, 'keys' | 'sum'>) =>
    samples.note(copy, { ...sample, keys: told.size, sum });
  const shown: CopySample[] = [sampleOf(cache)];
  samples.note(copy, sampleOf(cache));
  note({ of: 'changes', revision: Number(cache.revision) });
  const stop = end.onKnown(() => {
    if (end.isReached(cache.revision)) void changes[Symbol.asyncDispose]();
  });
  let count = 0;
  for await (const { revision, resync, changes: some } of changes) {
    for (const { type, key, value } of some) {
      if (type === 'delete' && context.isPlanted('keeps what is deleted')) continue;
      sum = minus(sum, told.get(key) ?? 0);
      if (value === undefined) told.delete(key);
      else told.set(key, value);
      sum = plus(sum, value ?? 0);
    }
    note({ of: 'changes', revision: Number(revision), ...(resync && { resync }) });
    shown.push(sampleOf(cache));
    const planted = context.isPlanted('goes back') && count % 20 === 19;
    samples.note(copy, shown.at(planted ? -BACK : -1) ?? sampleOf(cache));
    shown.splice(0, shown.length - BACK);
    count += 1;
    if (count % UPDATES_A_MOMENT === 0) await moment(surroundings, 'amid the changes of a copy');
    if (end.isReached(revision)) break;
  }
  stop();
  samples.flush();
  context.recorder.observe('copied all', { copy }, {});
}

/** Nothing happens under its prefix before the end: etcd's reports of progress move it on. */
export async function followIdleCopy(
  { context, samples, end }: Surroundings,
  client: CoordClient,
): Promise<void> {
  const { process, run } = context.assignment;
  const prefix = asidePrefix(run, IDLE);
  const copy = `${process}-copy-${IDLE}`;
  context.recorder.observe('copy', { copy, prefix }, {});
  await using cache: Copy = client.cache({ prefix }, { decode: (kv) => weightOf(putOf(kv)) });
  await cache.ready;
  while (!end.known.aborted) {
    samples.note(copy, { ...sampleOf(cache), of: 'idle' });
    await cache.waitFor(cache.revision + 1n, { signal: end.known }).catch((error: unknown) => {
      if (!(error instanceof AbortedError)) throw error;
    });
  }
}

function sampleOf(cache: Copy): CopySample {
  const entries = cache.entries();
  const sum = [...entries.values()].reduce(plus, 0);
  return { of: 'entries', revision: Number(cache.revision), keys: entries.size, sum };
}
