import { setTimeout as after } from 'node:timers/promises';
import { pick } from '../random.js';
import type { Stage } from '../stage/stage.js';
import { CLUSTER_FAULTS, type Fault, type FaultKind, mendMembers } from './cluster-faults.js';
import type { EtcdLog } from './etcd-log.js';
import type { FaultLog } from './fault-log.js';
import { type PlannedFault, planFaults } from './fault-plan.js';

export interface PlanScene {
  readonly seed: number;
  /** Of those that can happen anywhere. */
  readonly kinds: readonly FaultKind[];
  readonly stage: Stage;
  readonly log: EtcdLog;
  readonly faultLog: FaultLog;
}

/** Carries out the plan of a seed, until it is ended. */
export class PlannedFaults {
  readonly #scene: PlanScene;
  readonly #faults: Readonly<Record<string, Fault>>;
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;

  constructor(scene: PlanScene) {
    this.#scene = scene;
    this.#faults = { ...CLUSTER_FAULTS, ...scene.stage.faults };
    this.#running = this.#run();
    this.#running.catch(() => undefined); // told by end()
  }

  /** What has to happen here, and has not often enough. */
  get missing(): readonly string[] {
    const { stage, faultLog } = this.#scene;
    return Object.entries(stage.musts)
      .filter(([kind, times]) => (faultLog.counts[kind] ?? 0) < times)
      .map(([kind]) => kind);
  }

  /** No more of them; resolves when the last is mended. */
  async end(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { seed, kinds, stage } = this.#scene;
    const own = Object.keys(stage.faults);
    const all = [...own, ...kinds.filter((kind) => stage.allows(kind))];
    for (const planned of planFaults(seed, { first: own, all }, stage.cluster.members.length)) {
      await this.#pause(planned.afterMs);
      if (this.#ended.signal.aborted) return;
      await this.#strike(planned);
    }
  }

  async #strike({ kind, member: index, holdMs }: PlannedFault): Promise<void> {
    const { log, faultLog } = this.#scene;
    const { cluster } = this.#scene.stage;
    const member = pick(cluster.members, index / cluster.members.length);
    const over = faultLog.began(kind, { member: member.name });
    const sleep = (ms: number) => this.#pause(ms);
    const hold = (times = 1) => sleep(times * holdMs);
    try {
      await this.#faults[kind]?.({
        ...{ cluster, member, hold, sleep, log },
        also: async (other, work) => {
          const otherOver = faultLog.began(other, { member: member.name });
          await work();
          otherOver();
        },
      });
      over();
    } catch (error) {
      over(error instanceof Error ? error : new Error(String(error)));
      await mendMembers(cluster);
    }
  }

  async #pause(ms: number): Promise<void> {
    await after(ms, undefined, { signal: this.#ended.signal }).catch(() => undefined);
  }
}
