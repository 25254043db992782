/** Every workload under faults, and every planted mistake: `npm run faults`. See README.md. */
import { PLANTS, type PlantOf } from './src/plants.js';
import {
  type Findings,
  isFine,
  printTable,
  tableOfFigures,
  tableOfPlants,
  tableOfRuns,
  wasFound,
} from './src/report.js';
import { runAlone, settingsOf } from './src/run/run-alone.js';
import { RunFolder } from './src/run/run-folder.js';
import type { RunResult } from './src/run/run-workload.js';
import { runOptions } from './src/run-options.js';
import { sideBySide } from './src/side-by-side.js';
import { WORKLOADS, workloadNamed } from './src/workloads.js';
import { writeReport } from './src/write-report.js';

/** Each has a cluster and processes of its own. */
const AT_A_TIME = 3;

/** What is planted need not show at each run: on a busy machine etcd's own delays excuse what else would be a finding. */
const RUNS_OF_A_PLANT = 3;

const options = runOptions({ seconds: 15 });
const { seed, folder } = options;

if (options.check !== undefined) {
  const old = new RunFolder(options.check);
  const violations = workloadNamed(old.settings().workload).check(old);
  for (const { invariant, what } of violations) console.log(`${invariant}: ${what}`);
  console.log(`${violations.length} violations`);
  process.exitCode = violations.length > 0 ? 1 : 0;
} else if (options.replay !== undefined) {
  const { run: _run, ...settings } = new RunFolder(options.replay).settings();
  const result = announced(await runAlone(settings, folder));
  process.exitCode = result.violations.length > 0 ? 1 : 0;
} else {
  console.log(`seed ${seed}; everything is kept in ${folder}`);
  const runs = await sideBySide(AT_A_TIME, options.workloads, async (workload) => {
    const settings = { workload, variant: '', seed, minMs: options.seconds * 1_000, minHooked: 3 };
    return announced(await runAlone(settings, folder));
  });
  const planted = PLANTS.filter(({ workload }) => options.workloads.includes(workload));
  const plants = await sideBySide(AT_A_TIME, planted, lookFor);
  console.log('');
  printTable(tableOfRuns(runs));
  console.log('');
  printTable(tableOfFigures(runs));
  console.log('');
  printTable(tableOfPlants(plants));
  const fine = isFine({ runs, plants });
  if (fine && options.workloads.length === WORKLOADS.length)
    writeReport('faults', `\`npm run faults -- --seed ${seed}\`,`, { runs, plants });
  process.exitCode = fine ? 0 : 1;
}
// Node waits without end for what broken lines have left of their requests: https://github.com/nodejs/node/pull/19377
process.exit();

async function lookFor(plant: PlantOf): Promise<Findings['plants'][number]> {
  for (let attempt = 0; ; attempt++) {
    const found = { plant, result: await runAlone(settingsOf(plant, seed + attempt), folder) };
    if (wasFound(found) || attempt === RUNS_OF_A_PLANT - 1) return found;
  }
}

function announced(result: RunResult): RunResult {
  const { workload, seconds, violations, folder: where } = result;
  console.log(`${workload}: ${seconds} s, ${violations.length} violations, ${where}`);
  for (const { invariant, what } of violations.slice(0, 20)) console.log(`  ${invariant}: ${what}`);
  return result;
}
