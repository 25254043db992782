import { setTimeout as sleep } from 'node:timers/promises';
import { type Cluster, eventually } from '@coord/testkit';
import { pick, randomOf } from '../random.js';
import type { ClientLines } from '../stage/stage.js';
import type { Acknowledged } from './acknowledged.js';
import type { EtcdLog } from './etcd-log.js';
import type { FaultLog } from './fault-log.js';
import { ELSEWHERE, type Moment } from './messages.js';
import type { WorkerFleet } from './worker-fleet.js';
import type { WorkerProcess } from './worker-process.js';

/** What can happen to a worker at the moment that it has told of. */
export type HookedFault =
  /** It stands still before it goes on. */
  | 'freeze'
  /** It stands still some moments after: between what it sends and the answer, or when it has the answer. */
  | 'freeze amid'
  /** It stands still until its place in etcd's history is gone, and wakes up with new connections. */
  | 'compaction'
  | 'kill'
  /** It is killed, and what takes its place has no etcd at first. */
  | 'kill without etcd'
  | 'lost answer'
  | 'cut';

/** The worst moments of a workload, and what happens there. */
export interface Hooks {
  readonly faults: readonly HookedFault[];
  /** Absent: at all of them. */
  readonly point?: string;
  /** No more than so many; absent: any number. */
  readonly limit?: number;
  /** How often, from 0 to 1. */
  readonly rate: number;
  /** One is frozen until so many operations of this name have been acknowledged to others, of its scope if it has one. */
  readonly progress: { readonly name: string; readonly times: number };
}

export interface HookScene {
  readonly seed: number;
  readonly hooks: Hooks;
  readonly cluster: Cluster;
  readonly lines: ClientLines;
  readonly log: EtcdLog;
  readonly faultLog: FaultLog;
  readonly fleet: WorkerFleet;
  readonly acknowledged: Acknowledged;
}

const FROZEN_AT_MOST_MS = 30_000;
const ELSEWHERE_AT_MOST_MS = 15_000;
const ANSWER_AT_MOST_MS = 3_000;
/** Others have answers lost as well: so long, that the worker's own is likely among them. */
const ANSWER_AT_LEAST_MS = 30;
/** A request and its answer are well under way by then, or already there. */
const AMID_AT_MOST_MS = 6;
/** A process has started by then, and does what it does without etcd. */
const WITHOUT_ETCD_MS = 3_000;

/**
 * Faults at the worst moment. Whether one strikes is drawn for each moment of each worker by itself,
 * so that it does not hang on who comes first. Of each scope one worker is frozen at a time, since the
 * others have to go on; what strikes the lines strikes everybody, and is done one at a time.
 */
export class HookedFaults {
  readonly #scene: HookScene;
  readonly #draws = new Map<string, () => number>();
  /** How often a worker has found another place in the history, since its own was gone. */
  readonly #elsewhere = new Map<string, number>();
  /** What is going on: which scopes, workers and lines are struck. */
  readonly #busy = new Set<unknown>();
  readonly #striking = new Set<Promise<void>>();
  #ended = false;
  #begun = 0;
  done = 0;

  constructor(scene: HookScene) {
    this.#scene = scene;
  }

  /** A worker has come to a moment, and waits there. */
  reached(moment: Moment, worker: WorkerProcess): void {
    const { seed, hooks } = this.#scene;
    const name = worker.assignment.process;
    const draw = this.#draws.get(name) ?? randomOf(seed, 'hooks', name);
    this.#draws.set(name, draw);
    if (moment.point === ELSEWHERE) this.#elsewhere.set(name, (this.#elsewhere.get(name) ?? 0) + 1);
    const [chance, kind, delay] = [draw(), pick(hooks.faults, draw()), draw()];
    const strikes = chance < hooks.rate && moment.point === (hooks.point ?? moment.point);
    const over = this.#ended || this.#begun >= (hooks.limit ?? Number.POSITIVE_INFINITY);
    const struck = [worker, ...struckBy(kind, moment.scope ?? 'all')];
    if (!strikes || over || struck.some((each) => this.#busy.has(each))) {
      worker.goOn(moment);
      return;
    }
    this.#begun += 1;
    for (const each of struck) this.#busy.add(each);
    const striking = this.#strike(kind, moment, worker, delay).finally(() => {
      for (const each of struck) this.#busy.delete(each);
      this.#striking.delete(striking);
    });
    this.#striking.add(striking);
  }

  /** No more of them; resolves when the last is over. */
  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all(this.#striking);
  }

  async #strike(kind: HookedFault, moment: Moment, worker: WorkerProcess, delay: number): Promise<void> {
    const { faultLog } = this.#scene;
    const { point, scope, part } = moment;
    const where = {
      worker: worker.assignment.process,
      point,
      ...(scope && { scope }),
      ...(part && { part }),
    };
    const over = faultLog.began(kind, where);
    try {
      await this.#strikeBy(kind, moment, worker, delay);
      this.done += 1;
      over();
    } catch (error) {
      over(error instanceof Error ? error : new Error(String(error)));
    }
  }

  async #strikeBy(kind: HookedFault, moment: Moment, worker: WorkerProcess, delay: number): Promise<void> {
    const { fleet } = this.#scene;
    if (kind === 'freeze') {
      worker.freeze();
      worker.goOn(moment);
      await this.#untilOthersGoOn(moment);
      worker.thaw();
    } else if (kind === 'freeze amid') {
      worker.goOn(moment);
      await sleep(delay * AMID_AT_MOST_MS);
      worker.freeze();
      await this.#untilOthersGoOn(moment);
      worker.thaw();
    } else if (kind === 'kill') {
      worker.goOn(moment); // what it does next is under way, or not
      await fleet.replace(worker);
    } else if (kind === 'compaction') {
      worker.freeze();
      worker.goOn(moment);
      await this.#untilOthersGoOn(moment);
      await this.#compact();
      worker.thaw();
      await this.#untilElsewhere(worker);
    } else if (kind === 'cut') await this.#cut(moment, worker);
    else if (kind === 'kill without etcd') await this.#killWithoutEtcd(moment, worker);
    else await this.#loseAnswer(moment, worker);
  }

  /** One that is frozen wakes up when others have long gone on. */
  async #untilOthersGoOn({ scope }: Moment): Promise<void> {
    const { acknowledged, hooks } = this.#scene;
    const { name, times } = hooks.progress;
    const before = acknowledged.count(name, scope);
    await eventually(() => acknowledged.count(name, scope) >= before + times, {
      timeoutMs: FROZEN_AT_MOST_MS,
    }).catch(() => undefined); // etcd is away, too
  }

  /** It has found another place in the history; what is written from now on comes after it. */
  async #untilElsewhere({ assignment: { process } }: WorkerProcess): Promise<void> {
    const before = this.#elsewhere.get(process);
    const isElsewhere = () => this.#ended || this.#elsewhere.get(process) !== before;
    await eventually(isElsewhere, { timeoutMs: ELSEWHERE_AT_MOST_MS }).catch(() => undefined);
  }

  async #compact(): Promise<void> {
    const { cluster, lines, log } = this.#scene;
    await cluster.compact(log.revision).catch(() => undefined); // a member is away, and hears of it later
    await lines.reset();
  }

  /** All connections end in what it does next. */
  async #cut(moment: Moment, worker: WorkerProcess): Promise<void> {
    worker.goOn(moment);
    await this.#scene.lines.reset();
  }

  async #killWithoutEtcd(moment: Moment, worker: WorkerProcess): Promise<void> {
    const { fleet, lines } = this.#scene;
    const heal = await lines.holdAnswers();
    worker.goOn(moment);
    await fleet.replace(worker);
    await sleep(WITHOUT_ETCD_MS);
    await lines.reset().finally(heal);
  }

  /** etcd does what the worker asks for next, and the worker never hears of it. */
  async #loseAnswer(moment: Moment, worker: WorkerProcess): Promise<void> {
    const { lines, log } = this.#scene;
    const heal = await lines.holdAnswers();
    const before = log.count;
    worker.goOn(moment);
    await sleep(ANSWER_AT_LEAST_MS);
    await eventually(() => log.count > before, { timeoutMs: ANSWER_AT_MOST_MS }).catch(() => undefined);
    await lines.reset().finally(heal);
  }
}

/** Of what may be struck once at a time, who is struck besides the worker. */
function struckBy(kind: HookedFault, scope: string): readonly string[] {
  if (kind === 'compaction') return [scope, 'lines'];
  return [kind === 'cut' || kind === 'lost answer' || kind === 'kill without etcd' ? 'lines' : scope];
}
