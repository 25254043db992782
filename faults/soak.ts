/** The workloads by turns on all stages that this machine has, each time by another seed: `npm run soak -- --minutes N`. See README.md. */
import { constants } from 'node:os';
import { join } from 'node:path';
import { ensureEtcd } from '@coord/testkit';
import { type CyclesResult, runCycles } from './src/leaks/run-cycles.js';
import {
  isFine,
  printTable,
  tableOfCycles,
  tableOfFaults,
  tableOfFigures,
  tableOfRuns,
  tableOfStages,
  tableOfViolations,
} from './src/report.js';
import { runAlone } from './src/run/run-alone.js';
import type { RunResult } from './src/run/run-workload.js';
import { runOptions } from './src/run-options.js';
import { judgedAnew, readSoak, writeSoak } from './src/soak-folder.js';
import { planSoak } from './src/soak-plan.js';
import { type Skipped, STAGES, stagesHere } from './src/stage/stages.js';
import { WORKLOADS } from './src/workloads.js';
import { writeReport } from './src/write-report.js';

const options = runOptions({ seconds: 30 });
const runs: RunResult[] = [];
/** Runs that ended before there was a result: mistakes of the library in the run's own process, or of the run. */
const crashes: string[] = [];
let cycles: readonly CyclesResult[] = [];
let skipped: readonly Skipped[] = [];

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // What runs now goes with this process: workers notice, members are ended by the testkit, namespaces are left by all.
  process.once(signal, () => {
    console.log(`\n${signal}: the run that was going on does not count.`);
    printAll();
    process.exit(128 + constants.signals[signal]);
  });
}

process.once('uncaughtExceptionMonitor', printAll); // Node says what it was, and exits with 1

if (options.report !== undefined) {
  const record = readSoak(options.report);
  runs.push(...judgedAnew(options.report));
  cycles = record.cycles;
  skipped = record.skipped;
  crashes.push(...record.crashes);
  writeReport('soak', record.title, { runs, plants: [], skipped, cycles });
  end();
}

const here = await stagesHere(options.stages ?? STAGES.map(({ name }) => name));
const { stages } = here;
skipped = here.skipped;
for (const each of skipped) console.error(loud(each));
const versions = await versionsHere();
console.log(`seeds from ${options.seed}; stages: ${stages.join(', ')}; etcd ${versions.join(' and ')}`);
console.log(`everything is kept in ${options.folder}`);

try {
  cycles = await runCycles();
} catch (error) {
  crashes.push(`cycles: ${String(error)}`);
  console.log('cycles: CRASHED', error);
}
for (const { invariant, what } of cycles.flatMap(({ violations }) => violations))
  console.log(`cycles: ${invariant}: ${what}`);

const startedAt = performance.now();
const minutesGone = () => (performance.now() - startedAt) / 60_000;
for (const planned of planSoak({ ...options, stages, versions })) {
  if (minutesGone() >= options.minutes) break;
  const settings = { ...planned, variant: '', minMs: options.seconds * 1_000, minHooked: 3 };
  const what = `${minutesGone().toFixed(1).padStart(5)} min  ${planned.workload} on ${planned.stage}, seed ${planned.seed}`;
  try {
    const result = await runAlone(settings, join(options.folder, String(planned.seed)));
    runs.push(result);
    console.log(`${what}: ${inShort(result)}`);
    for (const { invariant, what: found } of result.violations.slice(0, 20))
      console.log(`  ${result.folder}: ${invariant}: ${found}`);
  } catch (error) {
    crashes.push(
      `${planned.workload} on ${planned.stage}, etcd ${planned.etcd}, seed ${planned.seed}: ${String(error)}`,
    );
    console.log(`${what}: CRASHED`, error);
  }
}
const whole = options.workloads.length === WORKLOADS.length && options.stages === undefined;
if (whole) {
  const title = `\`npm run soak -- --minutes ${options.minutes} --seed ${options.seed}\`, ${Math.floor(minutesGone())} minutes,`;
  writeSoak(options.folder, { title, skipped, cycles, crashes });
  writeReport('soak', title, { runs, plants: [], skipped, cycles });
}
end();

function end(): never {
  printAll();
  const fine = isFine({ runs, plants: [], cycles }) && crashes.length === 0;
  // Node waits without end for what broken lines have left of their requests: https://github.com/nodejs/node/pull/19377
  process.exit(fine ? 0 : 1);
}

function inShort({ versions: etcd, seconds, operations, faults, violations }: RunResult): string {
  const { ok, failed, unknown } = operations;
  const struck = Object.values(faults).reduce((a, b) => a + b, 0);
  const found = violations.length === 0 ? 'no violation' : `${violations.length} VIOLATIONS`;
  return `etcd ${etcd}, ${seconds} s, ${ok + failed + unknown} operations, ${struck} faults, ${found}`;
}

function printAll(): void {
  const tables = [
    tableOfRuns(runs),
    tableOfStages(runs),
    tableOfViolations(runs),
    tableOfFigures(runs),
    tableOfFaults(runs),
  ];
  for (const table of [...tables, tableOfCycles(cycles)]) {
    console.log('');
    printTable(table);
  }
  console.log('');
  for (const crash of crashes) console.log(`CRASHED: ${crash}`);
  for (const each of skipped) console.error(loud(each));
}

function loud({ stage, about, reason }: Skipped): string {
  const rule = '!'.repeat(100);
  return `${rule}\n!! NOT DONE: the stage "${stage}" (${about})\n!! because ${reason}\n${rule}`;
}

/** Both that are supported, as far as they are to be had; one if the environment says which. */
async function versionsHere(): Promise<string[]> {
  const asked = process.env.COORD_ETCD_VERSION;
  if (asked) return [asked];
  const all = await Promise.all(
    ['3.4', '3.5'].map((version) =>
      ensureEtcd({ version }).then(
        () => [version],
        () => [],
      ),
    ),
  );
  const found = all.flat();
  return found.length > 0 ? found : [(await ensureEtcd()).version];
}
