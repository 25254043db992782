import type { Plant } from './run/workload.js';
import { WORKLOADS } from './workloads.js';

/** A mistake, and the workload whose workers can make it. */
export interface PlantOf extends Plant {
  readonly workload: string;
}

/** Every mistake that can be planted. */
export const PLANTS: readonly PlantOf[] = WORKLOADS.flatMap(({ name: workload, plants }) =>
  plants.map((plant) => ({ workload, ...plant })),
);
