import type { Violation } from '../violation.js';
import type { CycleKind } from './cycling-process.js';
import { CYCLES, type Leaks, leaksOf, measureLeaks } from './measure-leaks.js';

/** Cycles of use by one process, and what was left of them. */
export interface CyclesResult extends Leaks {
  readonly kind: CycleKind;
  readonly violations: readonly Violation[];
}

/** All cycles, one process after the other. */
export async function runCycles(cycles = CYCLES): Promise<CyclesResult[]> {
  const results: CyclesResult[] = [];
  for (const kind of ['fresh', 'same'] as const) {
    const leaks = await measureLeaks({ kind, cycles });
    results.push({ ...leaks, kind, violations: leaksOf(leaks) });
  }
  return results;
}
