/** The workloads by turns, each time by another seed: `npm run soak -- --minutes N`. See README.md. */
import { join } from 'node:path';
import { runCycles } from './src/leaks/run-cycles.js';
import {
  isFine,
  printTable,
  tableOfCycles,
  tableOfFaults,
  tableOfFigures,
  tableOfRuns,
} from './src/report.js';
import { runAlone } from './src/run/run-alone.js';
import type { RunResult } from './src/run/run-workload.js';
import { runOptions } from './src/run-options.js';
import { WORKLOADS } from './src/workloads.js';
import { writeReport } from './src/write-report.js';

const { seed: first, minutes, seconds, workloads, folder } = runOptions();
console.log(`seeds from ${first}; everything is kept in ${folder}`);

const cycles = await runCycles();
for (const { invariant, what } of cycles.flatMap(({ violations }) => violations))
  console.log(`cycles: ${invariant}: ${what}`);

const until = performance.now() + minutes * 60_000;
const runs: RunResult[] = [];
for (let seed = first; performance.now() < until; seed++) {
  for (const workload of workloads) {
    const settings = { workload, variant: '', seed, minMs: seconds * 1_000, minHooked: 3 };
    const result = await runAlone(settings, join(folder, String(seed)));
    runs.push(result);
    for (const { invariant, what } of result.violations.slice(0, 20))
      console.log(`${result.folder}: ${invariant}: ${what}`);
  }
}
console.log('');
printTable(tableOfRuns(runs));
console.log('');
printTable(tableOfFigures(runs));
console.log('');
printTable(tableOfFaults(runs));
console.log('');
printTable(tableOfCycles(cycles));
const fine = isFine({ runs, plants: [], cycles });
if (fine && workloads.length === WORKLOADS.length)
  writeReport('soak', `\`npm run soak -- --minutes ${minutes} --seed ${first}\`,`, {
    runs,
    plants: [],
    cycles,
  });
process.exitCode = fine ? 0 : 1;
