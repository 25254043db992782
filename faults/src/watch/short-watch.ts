import { type CoordClient, CoordError, type WatchBatch } from '@coord/client';
import { overOf, toldOf } from './seen.js';
import type { Surroundings } from './surroundings.js';
import type { Resync } from './watch-operations.js';

/** A watch that is read only for a while. */
export interface ShortWatch {
  readonly watch: string;
  readonly prefix: string;
  readonly from: bigint;
  readonly resync: Resync;
}

/** Reads until it is enough, or the run stops; resolves to the error that has ended it, if one has. */
export async function watchShortly(
  { context, told }: Surroundings,
  client: CoordClient,
  { watch, prefix, from, resync }: ShortWatch,
  isEnough: (batch: WatchBatch) => boolean | Promise<boolean>,
): Promise<CoordError | undefined> {
  const { recorder, stopped } = context;
  recorder.observe('begin', { watch, prefix, from: Number(from), resync }, {});
  await using running = client.watch({ prefix }, { startRevision: from, resync });
  const close = () => void running.close();
  stopped.addEventListener('abort', close, { once: true });
  if (stopped.aborted) close();
  try {
    for await (const batch of running) {
      told.note(watch, toldOf(batch));
      if (await isEnough(batch)) break;
    }
    told.flush();
    recorder.observe('over', { watch }, { early: true });
    return undefined;
  } catch (error) {
    if (!CoordError.is(error)) throw error;
    told.flush();
    recorder.observe('over', { watch }, overOf(error));
    return error;
  } finally {
    stopped.removeEventListener('abort', close);
  }
}
