import { setTimeout as sleep } from 'node:timers/promises';
import { type CoordClient, CoordError, type WatchBatch } from '@coord/client';
import type { WorkerContext } from '../run/worker-context.js';
import { seenValue } from '../seen-value.js';
import { GROUPS, watchPrefix } from './watch-names.js';
import { LAST, type Resync, type SeenEvent, type WatchShapes } from './watch-operations.js';

type Context = WorkerContext<WatchShapes>;

const WATCHES = 8;
/** So many batches after another, a watch that is resumed by its caller is closed, and opened again where it was. */
const BATCHES_OF_RESUMED = 20;
/** How often a watch of all keys tells the run of a moment. */
const BATCHES_A_MOMENT = 50;
/** A watch that lags may begin so many revisions ago. */
const PAST_REVISIONS = 50;

interface Kind {
  readonly watch: string;
  readonly prefix: string;
  readonly resync: Resync;
  readonly maxBuffered: number;
  /** How long its reader takes over each batch. */
  readonly slownessMs: number;
  /** By its caller, again and again. */
  readonly resumed: boolean;
}

/** Watches of all kinds, each to the last event. */
export async function followAll(context: Context, client: CoordClient): Promise<void> {
  await Promise.all(
    Array.from({ length: WATCHES }, (_, index) => follow(context, client, kindOf(context, index))),
  );
}

function kindOf({ assignment: { process, run } }: Context, index: number): Kind {
  return {
    watch: `${process}-${index}`,
    prefix: watchPrefix(run, index % 3 === 0 ? undefined : index % GROUPS),
    resync: index % 4 === 0 ? 'snapshot' : index === 5 ? 'error' : 'difference',
    maxBuffered: [1, 3, 50, 1_024][index % 4] ?? 1,
    slownessMs: index % 4 === 3 ? 0 : index * 2,
    resumed: index % 4 === 0,
  };
}

async function follow(context: Context, client: CoordClient, kind: Kind): Promise<void> {
  const { recorder, random } = context;
  const { watch, prefix, resync } = kind;
  const now = await currentRevision(client, prefix);
  const back = BigInt(Math.floor(random() * PAST_REVISIONS));
  const from = now > back ? now - back : 1n;
  recorder.observe('begin', { watch, prefix, from: Number(from), resync }, {});
  try {
    for (let next: bigint | undefined = from; next !== undefined; )
      next = await read(context, client, kind, next);
    recorder.observe('over', { watch }, {});
  } catch (error) {
    if (!CoordError.is(error)) throw error;
    recorder.observe('over', { watch }, { error: error.name });
  }
}

/** Returns where to resume, or undefined after the last event. */
async function read(
  context: Context,
  client: CoordClient,
  { watch: name, prefix, resync, maxBuffered, slownessMs, resumed }: Kind,
  startRevision: bigint,
): Promise<bigint | undefined> {
  const { recorder, stopped } = context;
  await using watch = client.watch({ prefix }, { startRevision, resync, maxBuffered });
  let count = 0;
  for await (const batch of watch) {
    const { revision } = batch;
    recorder.observe(
      'batch',
      { watch: name, revision: Number(revision), resync: batch.resync },
      { events: eventsOf(batch) },
    );
    if (batch.events.some(({ key }) => key === `${prefix}${LAST}` || key.endsWith(`/${LAST}`)))
      return undefined;
    count += 1;
    if (resumed && count === BATCHES_OF_RESUMED) return revision + resumeAfter(context);
    if (name.endsWith('-3') && count % BATCHES_A_MOMENT === 0) await context.at('amid batches');
    if (slownessMs > 0 && !stopped.aborted) await sleep(slownessMs); // some readers fall behind
  }
  throw new Error(`${name} has ended by itself`);
}

/** The revision after the last one is the right place; the others are planted mistakes. */
function resumeAfter(context: Context): bigint {
  if (context.isPlanted('resumed too early')) return 0n;
  return context.isPlanted('resumed too late') ? 2n : 1n;
}

function eventsOf({ events }: WatchBatch): SeenEvent[] {
  return events.map(({ type, key, kv }) => [type, key, seenValue(kv.text())]);
}

async function currentRevision(client: CoordClient, prefix: string): Promise<bigint> {
  for (;;) {
    try {
      return (await client.kv.range(prefix)).revision;
    } catch (error) {
      if (!CoordError.is(error)) throw error;
    }
  }
}
