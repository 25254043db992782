import type { Violation } from '../violation.js';
import type { FaultKind } from './cluster-faults.js';
import type { Hooks } from './hooked-faults.js';
import type { Narrow, RunFolder } from './run-folder.js';

/** What is done while things fail, and what must hold then. Its worker is in `workers.ts`. */
export interface Workload {
  readonly name: string;
  readonly about: string;
  readonly workers: number;
  readonly faults: readonly FaultKind[];
  readonly hooks: Hooks;
  /** For each invariant at least one mistake that breaks it. */
  readonly plants: readonly Plant[];
  /** Whether the check needs what etcd's log has of this key. */
  keeps(key: string, run: string): boolean;
  /** Whether a key has to go by itself after the end, such as one on the lease of who was killed. */
  passes(key: string, run: string): boolean;
  /** Judges by what is in the folder, and nothing else. */
  check(folder: RunFolder): Violation[];
  /** What else is worth counting, by its name in the report: of several runs it is added up, or if its name begins with `longest`, the longest. */
  figures?(folder: RunFolder): Figures;
}

export type Figures = Readonly<Record<string, number>>;

/** A mistake that is planted in the workers of a workload, to see that its check finds it. */
export interface Plant {
  readonly variant: string;
  readonly about: string;
  /** The invariant whose check has to find it. */
  readonly breaks: string;
  /** Where it shows soon. */
  readonly only: Narrow;
}
