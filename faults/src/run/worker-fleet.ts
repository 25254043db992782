import { join } from 'node:path';
import { eventually } from '@coord/testkit';
import type { Stage } from '../stage/stage.js';
import type { Violation } from '../violation.js';
import type { Assignment, Report } from './messages.js';
import { WorkerProcess } from './worker-process.js';

/** How long workers may take to come to an end when nothing fails any more. */
const END_MS = 120_000;
/** And how long their processes after that, which nothing keeps then. */
const EXIT_MS = 20_000;

/** What all workers of a run have in common. */
export type Common = Omit<Assignment, 'process' | 'index' | 'historyFile' | 'endpoints'>;

export interface FleetScene {
  readonly stage: Stage;
  /** Where the histories go. */
  readonly folder: string;
  onReport(report: Report, worker: WorkerProcess): void;
}

/** The workers of a run. */
export class WorkerFleet {
  readonly #common: Common;
  readonly #scene: FleetScene;
  readonly #workers: WorkerProcess[] = [];
  #replaced = 0;

  constructor(common: Common, scene: FleetScene) {
    this.#common = common;
    this.#scene = scene;
  }

  /** All that ever were, also those that were killed. */
  get processes(): readonly string[] {
    return this.#workers.map(({ assignment }) => assignment.process);
  }

  start(count: number): void {
    for (let index = 0; index < count; index++) this.#add(`p${index}`, index);
  }

  /** Kills it, and starts another in its place. */
  async replace(worker: WorkerProcess): Promise<void> {
    this.#replaced += 1;
    await worker.kill();
    this.#add(`p${worker.assignment.index}.${this.#replaced}`, worker.assignment.index);
  }

  /** Waits until all have come to their ends, and says who has not. */
  async finish(): Promise<Violation[]> {
    for (const worker of this.#workers) worker.stop();
    await eventually(() => this.#workers.every(({ endedWell, crashed }) => endedWell || crashed), {
      timeoutMs: END_MS,
    }).catch(() => undefined);
    const ended = this.#workers.filter(({ endedWell }) => endedWell);
    await eventually(() => ended.every(({ exited }) => exited), { timeoutMs: EXIT_MS }).catch(
      () => undefined,
    );
    return this.#workers
      .filter(({ endedWell, exited }) => !endedWell || !exited)
      .map((worker) => ({ invariant: 'end', what: `${worker.assignment.process} ${whatBecameOf(worker)}` }));
  }

  async kill(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.kill()));
  }

  #add(process: string, index: number): void {
    const { stage, folder, onReport } = this.#scene;
    const historyFile = join(folder, `history-${process}.jsonl`);
    const { endpoints } = stage.cluster; // of now: members may have been replaced
    const assignment = { ...this.#common, process, index, endpoints, historyFile };
    this.#workers.push(new WorkerProcess(assignment, stage.workers, onReport));
  }
}

function whatBecameOf({ crashed, endedWell }: WorkerProcess): string {
  if (crashed) return 'has crashed: see its output';
  return endedWell
    ? 'has closed everything, and something keeps its process'
    : `does not end within ${END_MS} ms`;
}
