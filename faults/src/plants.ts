import type { Narrow } from './run/run-folder.js';

/** A mistake that is planted in the workers of a workload, to see that its check finds it. */
export interface Plant {
  readonly workload: string;
  readonly variant: string;
  readonly about: string;
  /** The invariant whose check has to find it. */
  readonly breaks: string;
  /** Where it shows soon. */
  readonly only: Narrow;
}

export const PLANTS: readonly Plant[] = [
  {
    workload: 'lock',
    variant: 'unguarded',
    about: 'a holder writes without its token being compared',
    breaks: 'L2',
    only: { workers: 2, point: 'between check and write', faults: ['freeze'] },
  },
  {
    workload: 'lock',
    variant: 'wall clock',
    about: 'a holder believes in its lock by a deadline of the wall clock',
    breaks: 'L3',
    only: { workers: 2, point: 'between check and write', faults: ['freeze'] },
  },
  {
    workload: 'register',
    variant: 'blind retry',
    about: 'a compare-and-set of unknown outcome is done again, and the second answer counts',
    breaks: 'KV',
    only: { workers: 1, point: 'before a swap', faults: ['lost answer'] },
  },
  {
    workload: 'watch',
    variant: 'resumed too early',
    about: 'a watch is resumed at the last revision, not after it',
    breaks: 'W1',
    only: { workers: 2, point: 'amid batches', faults: ['freeze'] },
  },
  {
    workload: 'watch',
    variant: 'resumed too late',
    about: 'a watch is resumed one revision after the right one',
    breaks: 'W1',
    only: { workers: 2, point: 'amid batches', faults: ['freeze'] },
  },
  {
    workload: 'config',
    variant: 'unconditional',
    about: 'a value is changed and set without the version that was read',
    breaks: 'C2',
    only: { workers: 2, point: 'between read and write', faults: ['freeze'] },
  },
  {
    workload: 'config',
    variant: 'older value',
    about: 'a service goes back to the configuration that it had before',
    breaks: 'M1',
    only: { workers: 3, point: 'between read and write', faults: ['freeze'] },
  },
];
