import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PLANTS, type PlantOf } from '../src/plants.js';
import { RunFolder, type RunSettings } from '../src/run/run-folder.js';
import { runWorkload } from '../src/run/run-workload.js';
import { LINES } from '../src/stage/lines-stage.js';
import type { Stage } from '../src/stage/stage.js';
import { workloadNamed } from '../src/workloads.js';

/** One after the other, until all is found: on a busy machine etcd's own delays excuse what else would be a finding. */
const SEEDS = [1, 2, 3];
const [SEED = 0] = SEEDS;
/** Each starts several processes, at the same time as others do. */
const SLOW_MS = 180_000;

let stage: Stage;
const root = mkdtempSync(join(tmpdir(), 'coord-faults-'));
beforeAll(async () => {
  stage = await LINES.start({ etcd: undefined });
});
afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

/** One for each promise; `npm run faults` has all. */
const SOME = PLANTS.filter(({ breaks }, i) => PLANTS.findIndex((other) => other.breaks === breaks) === i);
const sceneOf = ({ workload, only }: PlantOf) => `${workload} ${only.point}`;
/** Those of a workload that show at the same moment, in one run. */
const TOGETHER = [...new Set(SOME.map(sceneOf))].map((scene) => {
  const plants = SOME.filter((plant) => sceneOf(plant) === scene);
  const workload = plants[0]?.workload ?? '';
  const only = plants.map((plant) => plant.only).reduce((a, b) => (a.workers < b.workers ? b : a));
  const variant = plants.map((plant) => plant.variant).join(' + ');
  return { workload, variant, breaks: plants.map((plant) => plant.breaks), only };
});
type Together = (typeof TOGETHER)[number];

const TITLE = '$workload: $variant';
const needsLines = ({ only }: Together) => only.faults.some((kind) => kind !== 'freeze');

async function run(name: string, settings: RunSettings) {
  const workload = workloadNamed(settings.workload);
  return runWorkload(workload, { stage, folder: new RunFolder(join(root, name)), settings });
}

async function find({ workload, variant, breaks, only }: Together): Promise<void> {
  const broken = new Set<string>();
  for (const seed of SEEDS) {
    const settings = { workload, variant, seed, minMs: 0, minHooked: 1, only };
    const { violations } = await run(`${workload} ${variant} ${seed}`, settings);
    for (const { invariant } of violations) broken.add(invariant);
    if (breaks.every((invariant) => broken.has(invariant))) break;
  }
  expect([...broken]).toEqual(expect.arrayContaining(breaks));
}

describe.concurrent('while processes are frozen', () => {
  it.each(TOGETHER.filter((each) => !needsLines(each)))(TITLE, find, SLOW_MS);

  it(
    'the lock as it is loses nothing',
    async () => {
      const only = { workers: 2, point: 'between check and write', faults: ['freeze'] } as const;
      const settings = { workload: 'lock', variant: '', seed: SEED, minMs: 0, minHooked: 1, only };
      const { violations, operations, faults } = await run('lock', settings);
      expect(violations).toEqual([]);
      expect(faults).toEqual({ freeze: 1 });
      expect(operations.failed).toBeGreaterThan(0); // the write of who was frozen
    },
    SLOW_MS,
  );
});

describe('while the lines to etcd fail, which all runs share', () => {
  it.each(TOGETHER.filter(needsLines))(TITLE, find, SLOW_MS);

  it(
    'watches as they are miss nothing',
    async () => {
      const only = { workers: 2, point: 'amid batches', faults: ['cut'] } as const;
      const settings = { workload: 'watch', variant: '', seed: SEED, minMs: 0, minHooked: 3, only };
      const { violations, faults, connections } = await run('watch', settings);
      expect(violations).toEqual([]);
      expect(faults).toEqual({ cut: 3 });
      expect(connections).toBeGreaterThanOrEqual(3);
    },
    SLOW_MS,
  );
});
