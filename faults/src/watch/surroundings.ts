import type { WorkerContext } from '../run/worker-context.js';
import type { Notebook } from './notebook.js';
import type { RunEnd } from './run-end.js';
import type { CopySample, Told, WatchShapes } from './watch-operations.js';

/** What everybody who follows etcd in one process has at hand. */
export interface Surroundings {
  readonly context: WorkerContext<WatchShapes>;
  readonly end: RunEnd;
  /** By watch. */
  readonly told: Notebook<Told>;
  /** By copy. */
  readonly samples: Notebook<CopySample>;
}

/** A moment at which things may go wrong; what was seen before stands in the history. */
export async function moment({ context, told, samples }: Surroundings, point: string): Promise<void> {
  told.flush();
  samples.flush();
  await context.at(point);
}
