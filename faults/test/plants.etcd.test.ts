import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cluster } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PLANTS, type Plant } from '../src/plants.js';
import { startFaultCluster } from '../src/run/fault-cluster.js';
import { settingsOf } from '../src/run/run-alone.js';
import { RunFolder, type RunSettings } from '../src/run/run-folder.js';
import { runWorkload } from '../src/run/run-workload.js';
import { workloadNamed } from '../src/workloads.js';

const SEED = 1;

let cluster: Cluster;
const root = mkdtempSync(join(tmpdir(), 'coord-faults-'));
beforeAll(async () => {
  cluster = await startFaultCluster();
});
afterAll(async () => {
  await cluster?.stop();
  await rm(root, { recursive: true });
});

/** One for each promise; `npm run faults` has all. */
const SOME = PLANTS.filter(({ breaks }, i) => PLANTS.findIndex((other) => other.breaks === breaks) === i);
const TITLE = '$workload, $variant: $about';
const needsLines = ({ only }: Plant) => only.faults.some((kind) => kind !== 'freeze');

async function run(name: string, settings: RunSettings) {
  const workload = workloadNamed(settings.workload);
  return runWorkload(workload, { cluster, folder: new RunFolder(join(root, name)), settings });
}

async function find(plant: Plant): Promise<void> {
  const { violations } = await run(`${plant.workload} ${plant.variant}`, settingsOf(plant, SEED));
  expect(violations.map(({ invariant }) => invariant)).toContain(plant.breaks);
}

describe.concurrent('while processes are frozen', () => {
  it.each(SOME.filter((plant) => !needsLines(plant)))(TITLE, find);

  it('the lock as it is loses nothing', async () => {
    const only = { workers: 2, point: 'between check and write', faults: ['freeze'] } as const;
    const settings = { workload: 'lock', variant: '', seed: SEED, minMs: 0, minHooked: 1, only };
    const { violations, operations, faults } = await run('lock', settings);
    expect(violations).toEqual([]);
    expect(faults).toEqual({ freeze: 1 });
    expect(operations.failed).toBeGreaterThan(0); // the write of who was frozen
  });
});

describe('while the lines to etcd fail, which all runs share', () => {
  it.each(SOME.filter(needsLines))(TITLE, find);

  it('watches as they are miss nothing', async () => {
    const only = { workers: 2, point: 'amid batches', faults: ['cut'] } as const;
    const settings = { workload: 'watch', variant: '', seed: SEED, minMs: 0, minHooked: 5, only };
    const { violations, faults, connections } = await run('watch', settings);
    expect(violations).toEqual([]);
    expect(faults).toEqual({ cut: 5 });
    expect(connections).toBeGreaterThanOrEqual(5);
  });
});
