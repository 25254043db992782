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
