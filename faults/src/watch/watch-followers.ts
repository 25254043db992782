import { setTimeout as sleep } from 'node:timers/promises';
import { type CoordClient, CoordError, type WatchBatch } from '@coord/client';
import { ELSEWHERE } from '../run/messages.js';
import type { WorkerContext } from '../run/worker-context.js';
import { overOf, toldOf } from './seen.js';
import { moment, type Surroundings } from './surroundings.js';
import { untilItWorks } from './until-it-works.js';
import { prefixOf, type WatchKind } from './watch-kinds.js';
import type { WatchShapes } from './watch-operations.js';

/** How often a watch of all keys tells the run of a moment. */
const BATCHES_A_MOMENT = 40;
/** Also in a short run. */
const LEAST_RESUMES = 2;
/** A watch that begins in the past, or in the future, does so up to so many revisions from now. */
const REVISIONS_FROM_NOW = 50;

/** Follows a prefix in one manner to the end of the run: where a watch is refused, another begins. */
export async function follow(
  surroundings: Surroundings,
  client: CoordClient,
  kind: WatchKind,
  index: number,
): Promise<void> {
  const { context, end } = surroundings;
  const { process, run } = context.assignment;
  const prefix = prefixOf(run, kind, index);
  for (let attempt = 0, over = false; !over; attempt++) {
    const now = await currentRevision(client, prefix);
    if (attempt > 0 && end.isReached(now)) return;
    const follower = new Follower(surroundings, client, kind, `${process}-${index}-${attempt}`, prefix);
    over = await follower.follow(startOf(kind, now, context.random()));
  }
}

function startOf({ start }: WatchKind, now: bigint, random: number): bigint {
  if (start === 'now') return 0n;
  const distance = BigInt(Math.floor(random * REVISIONS_FROM_NOW));
  if (start === 'future') return now + distance;
  return now > distance ? now - distance : 1n;
}

async function currentRevision({ kv }: CoordClient, prefix: string): Promise<bigint> {
  return (await untilItWorks(() => kv.range({ prefix }, { limit: 1, keysOnly: true }))).revision;
}

/** One watch, and where its caller has resumed it, more than one. */
class Follower {
  readonly #surroundings: Surroundings;
  readonly #client: CoordClient;
  readonly #kind: WatchKind;
  readonly #name: string;
  readonly #prefix: string;
  #batches = 0;
  #resumes = 0;
  /** The last batch was a resync. */
  #resynced = false;
  /** It has heard of everything up to here. */
  #reached = 0n;

  constructor(
    surroundings: Surroundings,
    client: CoordClient,
    kind: WatchKind,
    name: string,
    prefix: string,
  ) {
    this.#surroundings = surroundings;
    this.#client = client;
    this.#kind = kind;
    this.#name = name;
    this.#prefix = prefix;
  }

  /** Returns false when it was refused before the end. */
  async follow(from: bigint): Promise<boolean> {
    const { recorder } = this.#surroundings.context;
    const { told } = this.#surroundings;
    const { resync, ignore, previous, slownessMs } = this.#kind;
    const watch = this.#name;
    this.#reached = from - 1n;
    recorder.observe(
      'begin',
      {
        ...{ watch, prefix: this.#prefix, from: Number(from), resync },
        ...(ignore && { ignore }),
        ...(previous && { previous }),
        ...(slownessMs && { slow: true }),
      },
      {},
    );
    try {
      for (let next: bigint | undefined = from; next !== undefined; ) {
        if (next !== from) told.note(watch, { reopenedAt: Number(next) });
        next = await this.#read(next);
      }
      told.flush();
      recorder.observe('over', { watch }, {});
      return true;
    } catch (error) {
      if (!CoordError.is(error)) throw error;
      told.flush();
      recorder.observe('over', { watch }, overOf(error));
      return false;
    }
  }

  /** Returns where to resume, or undefined at the end. */
  async #read(startRevision: bigint): Promise<bigint | undefined> {
    const { context, end } = this.#surroundings;
    const { resync, ignore, previous, maxBuffered, slownessMs, batchesOfCaller, tells } = this.#kind;
    const options = { startRevision, resync, ignore, previous, maxBuffered };
    await using watch = this.#client.watch({ prefix: this.#prefix }, options);
    const closeAtTheEnd = () => {
      if (end.isReached(this.#reached)) void watch.close();
    };
    const stop = end.onKnown(closeAtTheEnd);
    if (startRevision === 0n) void this.#attached(watch.ready).then(closeAtTheEnd);
    let count = 0;
    for await (const batch of watch) {
      this.#note(batch);
      this.#reached = batch.revision;
      if (end.isReached(batch.revision)) break;
      if (tells && batch.resync) await moment(this.#surroundings, ELSEWHERE);
      count += 1;
      if (batchesOfCaller && count >= batchesOfCaller && this.#mayResume) {
        stop();
        this.#resumes += 1;
        return batch.revision + resumeAfter(context);
      }
      this.#batches += 1;
      if (tells && this.#batches % BATCHES_A_MOMENT === 0) await moment(this.#surroundings, 'amid batches');
      if (slownessMs && !context.stopped.aborted) await sleep(slownessMs); // some readers fall behind
    }
    stop();
    if (!end.isReached(this.#reached)) throw new Error(`${this.#name} has ended by itself`);
    return undefined;
  }

  /** Each time costs it some time: when the run has stopped, it has to come to its end. */
  get #mayResume(): boolean {
    return !this.#surroundings.context.stopped.aborted || this.#resumes < LEAST_RESUMES;
  }

  #note(batch: WatchBatch): void {
    const { context, told } = this.#surroundings;
    const isDropped = context.isPlanted('dropped after a resync') && this.#resynced && !batch.resync;
    this.#resynced = batch.resync;
    if (isDropped) return;
    if (context.isPlanted('split') && !batch.resync && batch.events.length > 1) {
      told.note(this.#name, toldOf(batch, batch.events.slice(0, 1)));
      told.note(this.#name, toldOf(batch, batch.events.slice(1)));
    } else told.note(this.#name, toldOf(batch));
  }

  /** Everything from now on it has to tell; what is older, it need not. */
  async #attached(ready: Promise<void>): Promise<void> {
    try {
      await ready;
    } catch {
      return; // refused: the loop says why
    }
    const now = await currentRevision(this.#client, this.#prefix);
    this.#surroundings.told.flush();
    this.#surroundings.context.recorder.observe(
      'attached',
      { watch: this.#name, revision: Number(now) + 1 },
      {},
    );
    if (this.#reached < 0n) this.#reached = now;
  }
}

/** The revision after the last one is the right place; the others are planted mistakes. */
function resumeAfter(context: WorkerContext<WatchShapes>): bigint {
  if (context.isPlanted('resumed too early')) return 0n;
  return context.isPlanted('resumed too late') ? 2n : 1n;
}
