import { join } from 'node:path';
import type { PlantOf } from '../plants.js';
import { stageNamed } from '../stage/stages.js';
import { workloadNamed } from '../workloads.js';
import { RunFolder, type RunSettings } from './run-folder.js';
import { type RunResult, runWorkload } from './run-workload.js';

/** A run on a stage of its own, in a folder of its own under `root`. */
export async function runAlone(settings: RunSettings, root: string): Promise<RunResult> {
  const { workload, variant, seed, stage: where = 'lines', etcd } = settings;
  const name = [workload, variant, where === 'lines' ? '' : where, seed].filter(Boolean).join('-');
  await using stage = await stageNamed(where).start({ etcd });
  return await runWorkload(workloadNamed(workload), {
    stage,
    folder: new RunFolder(join(root, name.replaceAll(' ', '-'))),
    settings,
    alone: true,
  });
}

/** What makes a planted mistake show. */
export function settingsOf({ workload, variant, only }: PlantOf, seed: number): RunSettings {
  return { workload, variant, seed, minMs: 0, minHooked: 1, only };
}
