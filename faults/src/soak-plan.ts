import type { RunSettings } from './run/run-folder.js';

export interface SoakOptions {
  /** Of the first round. */
  readonly seed: number;
  readonly workloads: readonly string[];
  readonly stages: readonly string[];
  /** Versions of etcd, by turns. */
  readonly versions: readonly string[];
}

type Planned = Required<Pick<RunSettings, 'workload' | 'stage' | 'seed'>> & { readonly etcd: string };

/**
 * Every workload on every stage, without end. A round has each workload once, each on another stage if there are as many; the next one moves
 * them on by a stage, and has the next seed. When all have been everywhere, the versions of etcd change sides.
 */
export function* planSoak({
  seed: first,
  workloads,
  stages,
  versions,
}: SoakOptions): Generator<Planned, never> {
  for (let round = 0; ; round++) {
    const tour = Math.floor(round / stages.length);
    for (const [index, workload] of workloads.entries()) {
      const stage = stages[(index + round) % stages.length] ?? '';
      const etcd = versions[(index + tour) % versions.length] ?? '';
      yield { workload, stage, etcd, seed: first + round };
    }
  }
}
