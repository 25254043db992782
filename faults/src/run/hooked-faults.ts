import { type Cluster, eventually } from '@coord/testkit';
import { pick, randomOf } from '../random.js';
import type { EtcdLog } from './etcd-log.js';
import type { FaultLog } from './fault-log.js';
import type { WorkerFleet } from './worker-fleet.js';
import type { WorkerProcess } from './worker-process.js';

/** What can happen to a worker at the moment that it has told of. */
export type HookedFault = 'freeze' | 'kill' | 'lost answer' | 'cut';

/** The worst moments of a workload, and what happens there. */
export interface Hooks {
  readonly faults: readonly HookedFault[];
  /** Absent: at all of them. */
  readonly point?: string;
  /** No more than so many; absent: any number. */
  readonly limit?: number;
  /** How often, from 0 to 1. */
  readonly rate: number;
  /** One is frozen until so many operations of this name have been acknowledged to others. */
  readonly progress: { readonly name: string; readonly times: number };
}

export interface HookScene {
  readonly seed: number;
  readonly hooks: Hooks;
  readonly cluster: Cluster;
  readonly log: EtcdLog;
  readonly faultLog: FaultLog;
  readonly fleet: WorkerFleet;
  /** How many operations of a name were acknowledged so far. */
  acknowledged(name: string): number;
}

const FROZEN_AT_MOST_MS = 30_000;
const ANSWER_AT_MOST_MS = 3_000;

/**
 * Faults at the worst moment, one at a time. Whether one strikes is drawn for each moment of each
 * worker by itself, so that it does not hang on who comes first.
 */
export class HookedFaults {
  readonly #scene: HookScene;
  readonly #draws = new Map<string, () => number>();
  #striking: Promise<void> | undefined;
  #ended = false;
  done = 0;

  constructor(scene: HookScene) {
    this.#scene = scene;
  }

  /** A worker has come to a point, and waits there. */
  reached(point: string, worker: WorkerProcess): void {
    const { seed, hooks } = this.#scene;
    const name = worker.assignment.process;
    const draw = this.#draws.get(name) ?? randomOf(seed, 'hooks', name);
    this.#draws.set(name, draw);
    const [chance, kind] = [draw(), draw()];
    const strikes = chance < hooks.rate && point === (hooks.point ?? point);
    const over = this.#ended || this.done >= (hooks.limit ?? Number.POSITIVE_INFINITY);
    if (!strikes || over || this.#striking !== undefined) {
      worker.goOn();
      return;
    }
    this.#striking = this.#strike(pick(hooks.faults, kind), point, worker).finally(() => {
      this.#striking = undefined;
    });
  }

  /** No more of them; resolves when the last is over. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#striking;
  }

  async #strike(kind: HookedFault, point: string, worker: WorkerProcess): Promise<void> {
    const { faultLog, fleet } = this.#scene;
    const over = faultLog.began(kind, { worker: worker.assignment.process, point });
    if (kind === 'freeze') await this.#freeze(worker);
    else if (kind === 'kill') {
      worker.goOn(); // what it does next is under way, or not
      await fleet.replace(worker);
    } else if (kind === 'cut') this.#cut(worker);
    else await this.#loseAnswer(worker);
    this.done += 1;
    over();
  }

  /** It wakes up when others have long gone on. */
  async #freeze(worker: WorkerProcess): Promise<void> {
    const { acknowledged, hooks } = this.#scene;
    worker.freeze();
    worker.goOn();
    const { name, times } = hooks.progress;
    const before = acknowledged(name);
    await eventually(() => acknowledged(name) >= before + times, { timeoutMs: FROZEN_AT_MOST_MS })
      .catch(() => undefined) // etcd is away, too
      .finally(() => worker.thaw());
  }

  /** All connections end in what it does next. */
  #cut(worker: WorkerProcess): void {
    worker.goOn();
    for (const { clientLine } of this.#scene.cluster.members) clientLine.resetConnections();
  }

  /** etcd does what the worker asks for next, and the worker never hears of it. */
  async #loseAnswer(worker: WorkerProcess): Promise<void> {
    const { cluster, log } = this.#scene;
    const lines = cluster.members.map(({ clientLine }) => clientLine);
    for (const line of lines) line.blackhole('toClient');
    const before = log.count;
    worker.goOn();
    await eventually(() => log.count > before, { timeoutMs: ANSWER_AT_MOST_MS }).catch(() => undefined);
    for (const line of lines) line.resetConnections();
    for (const line of lines) line.heal('toClient');
  }
}
