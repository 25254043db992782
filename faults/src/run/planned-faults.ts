import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '@coord/testkit';
import { pick } from '../random.js';
import { CLUSTER_FAULTS, type FaultKind } from './cluster-faults.js';
import type { EtcdLog } from './etcd-log.js';
import type { FaultLog } from './fault-log.js';
import { type PlannedFault, planFaults } from './fault-plan.js';

export interface PlanScene {
  readonly seed: number;
  readonly kinds: readonly FaultKind[];
  readonly cluster: Cluster;
  readonly log: EtcdLog;
  readonly faultLog: FaultLog;
}

/** Carries out the plan of a seed, until it is ended. */
export class PlannedFaults {
  readonly #scene: PlanScene;
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  done = 0;

  constructor(scene: PlanScene) {
    this.#scene = scene;
    this.#running = scene.kinds.length > 0 ? this.#run() : Promise.resolve();
  }

  /** No more of them; resolves when the last is mended. */
  async end(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { seed, kinds, cluster } = this.#scene;
    for (const planned of planFaults(seed, kinds, cluster.members.length)) {
      await this.#pause(planned.afterMs);
      if (this.#ended.signal.aborted) return;
      await this.#strike(planned);
    }
  }

  async #strike({ kind, member: index, holdMs }: PlannedFault): Promise<void> {
    const { cluster, log, faultLog } = this.#scene;
    const member = pick(cluster.members, index / cluster.members.length);
    const over = faultLog.began(kind, { member: member.name });
    const hold = () => this.#pause(holdMs);
    try {
      await CLUSTER_FAULTS[kind]({ cluster, member, hold, loggedRevision: log.revision });
      this.done += 1;
      over();
    } catch (error) {
      over(error instanceof Error ? error : new Error(String(error)));
    }
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#ended.signal }).catch(() => undefined);
  }
}
