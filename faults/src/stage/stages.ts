import { CLOCK } from './clock-stage.js';
import { DISK } from './disk-stage.js';
import { FULL_DISK } from './full-disk-stage.js';
import { LINES } from './lines-stage.js';
import { NETWORK } from './network-stage.js';
import { REPLACEMENT } from './replacement-stage.js';
import { SPACE } from './space-stage.js';
import type { StageKind } from './stage.js';
import { UPGRADE } from './upgrade-stage.js';

/** The first needs nothing. */
export const STAGES: readonly StageKind[] = [
  LINES,
  NETWORK,
  DISK,
  FULL_DISK,
  UPGRADE,
  REPLACEMENT,
  SPACE,
  CLOCK,
];

export function stageNamed(name: string): StageKind {
  const known = STAGES.find((stage) => stage.name === name);
  if (known !== undefined) return known;
  throw new Error(`there is no stage "${name}", only ${STAGES.map((each) => each.name).join(', ')}`);
}

/** A stage that this machine has not, and why. */
export interface Skipped {
  readonly stage: string;
  readonly about: string;
  readonly reason: string;
}

/** Which of them this machine has. */
export async function stagesHere(
  names: readonly string[],
): Promise<{ readonly stages: readonly string[]; readonly skipped: readonly Skipped[] }> {
  const stages: string[] = [];
  const skipped: Skipped[] = [];
  for (const { name, about, missing } of names.map(stageNamed)) {
    const reason = await missing();
    if (reason === undefined) stages.push(name);
    else skipped.push({ stage: name, about, reason });
  }
  return { stages, skipped };
}
