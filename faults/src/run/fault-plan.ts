import { pick, randomOf } from '../random.js';
import type { FaultKind } from './cluster-faults.js';

export interface PlannedFault {
  /** After the one before has been mended. */
  readonly afterMs: number;
  readonly kind: FaultKind;
  /** Which member, counted from 0. */
  readonly member: number;
  /** How long it stays. */
  readonly holdMs: number;
}

/** The faults of a run, one after the other, without end: the same for the same seed. */
export function* planFaults(
  seed: number,
  kinds: readonly FaultKind[],
  members: number,
): Generator<PlannedFault, never> {
  const random = randomOf(seed, 'faults');
  for (;;) {
    yield {
      afterMs: Math.round(100 + random() * 500),
      kind: pick(kinds, random()),
      member: Math.floor(random() * members),
      holdMs: Math.round(200 + random() * 800),
    };
  }
}
