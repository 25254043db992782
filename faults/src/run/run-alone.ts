import { join } from 'node:path';
import type { PlantOf } from '../plants.js';
import { workloadNamed } from '../workloads.js';
import { startFaultCluster } from './fault-cluster.js';
import { RunFolder, type RunSettings } from './run-folder.js';
import { type RunResult, runWorkload } from './run-workload.js';

/** A run on a cluster of its own, in a folder of its own under `root`. */
export async function runAlone(settings: RunSettings, root: string): Promise<RunResult> {
  const { workload, variant, seed } = settings;
  const name = [workload, variant.replaceAll(' ', '-'), seed].filter(Boolean).join('-');
  await using cluster = await startFaultCluster();
  return await runWorkload(workloadNamed(workload), {
    cluster,
    folder: new RunFolder(join(root, name)),
    settings,
    alone: true,
  });
}

/** What makes a planted mistake show. */
export function settingsOf({ workload, variant, only }: PlantOf, seed: number): RunSettings {
  return { workload, variant, seed, minMs: 0, minHooked: 1, only };
}
