import type { CyclesResult } from './leaks/run-cycles.js';
import type { PlantOf } from './plants.js';
import type { RunResult } from './run/run-workload.js';
import type { Figures } from './run/workload.js';
import type { Skipped } from './stage/stages.js';

/** What a run of everything has shown. */
export interface Findings {
  readonly runs: readonly RunResult[];
  /** Stages that this machine has not. */
  readonly skipped?: readonly Skipped[];
  readonly plants: readonly { readonly plant: PlantOf; readonly result: RunResult }[];
  readonly cycles?: readonly CyclesResult[];
}

type Table = readonly (readonly string[])[];

export function isFine({ runs, plants, cycles = [] }: Findings): boolean {
  return [...runs, ...cycles].every(({ violations }) => violations.length === 0) && plants.every(wasFound);
}

export function wasFound({ plant, result }: Findings['plants'][number]): boolean {
  return result.violations.some(({ invariant }) => invariant === plant.breaks);
}

/** A row for each workload; several runs of one are added up. */
export function tableOfRuns(runs: readonly RunResult[]): Table {
  const header = [
    'workload',
    'seconds',
    'operations',
    'unknown',
    'faults',
    'connections',
    "events in etcd's log",
    'violations',
  ];
  const names = [...new Set(runs.map(({ workload }) => workload))];
  return [
    header,
    ...names.map((name) => {
      const own = runs.filter(({ workload }) => workload === name);
      const sum = (of: (run: RunResult) => number) =>
        own.reduce((total, run) => total + of(run), 0).toLocaleString('en');
      return [
        name,
        sum(({ seconds }) => seconds),
        sum(({ operations: { ok, failed, unknown } }) => ok + failed + unknown),
        sum(({ operations }) => operations.unknown),
        sum(({ faults }) => Object.values(faults).reduce((a, b) => a + b, 0)),
        sum(({ connections }) => connections),
        sum(({ events }) => events),
        sum(({ violations }) => violations.length),
      ];
    }),
  ];
}

/** What is left of processes that use everything and close it, again and again. */
export function tableOfCycles(cycles: readonly CyclesResult[]): Table {
  const rows = cycles.map(({ kind, heaps, bytesACycle = 0, connections, left, ...rest }) => {
    const { leases, leasedKeys, watchers, streams } = left;
    const ofProcess = rest.after.resources.length - rest.before.resources.length;
    const inEtcd = leases + leasedKeys.length + watchers + streams;
    const coordinators = kind === 'fresh' ? 'one for each cycle' : 'one for all';
    const counts = [heaps.length, Math.round(bytesACycle), ofProcess, connections, inEtcd];
    return [coordinators, ...counts.map((count) => count.toLocaleString('en'))];
  });
  const header = ['coordinators', 'cycles', 'bytes of memory a cycle', 'open handles'];
  return [[...header, 'connections', 'left in etcd'], ...rows];
}

/** A row for each stage, with the versions of etcd that have been there. */
export function tableOfStages(runs: readonly RunResult[]): Table {
  const stageOf = ({ stage = 'lines' }: RunResult) => stage;
  return [
    ['stage', 'etcd', 'runs', 'seconds', 'faults of its own', 'violations'],
    ...[...new Set(runs.map(stageOf))].map((name) => {
      const here = runs.filter((run) => stageOf(run) === name);
      const sum = (of: (run: RunResult) => number) =>
        here.reduce((total, run) => total + of(run), 0).toLocaleString('en');
      return [
        name,
        [...new Set(here.map(({ versions }) => versions))].sort().join(', '),
        here.length.toLocaleString('en'),
        sum(({ seconds }) => seconds),
        sum(({ faults, ownFaults }) => ownFaults.reduce((total, kind) => total + (faults[kind] ?? 0), 0)),
        sum(({ violations }) => violations.length),
      ];
    }),
  ];
}

/** What was found, by run. */
export function tableOfViolations(runs: readonly RunResult[]): Table {
  return [
    ['workload', 'stage', 'etcd', 'seed', 'found'],
    ...runs.flatMap(({ workload, stage = 'lines', versions, seed, violations }) =>
      violations.map(({ invariant, what }) => [
        workload,
        stage,
        versions,
        String(seed),
        `${invariant}: ${withoutNames(what)}`,
      ]),
    ),
  ];
}

/** How often each fault struck, over all runs. */
export function tableOfFaults(runs: readonly RunResult[]): Table {
  const counts = addedUp(runs.map(({ faults }) => faults));
  return [
    ['fault', 'times'],
    ...[...counts].sort().map(([kind, count]) => [kind, count.toLocaleString('en')]),
  ];
}

/** What the workloads have counted, over all runs. */
export function tableOfFigures(runs: readonly RunResult[]): Table {
  const names = [...new Set(runs.map(({ workload }) => workload))];
  const rows = names.flatMap((name) => {
    const figures = runs.filter(({ workload }) => workload === name).map((run) => run.figures);
    return [...addedUp(figures)].map(([what, count]) => [name, what, count.toLocaleString('en')]);
  });
  return [['workload', 'counted', 'times'], ...rows];
}

/** Added up, but of what is the longest of a run, the longest of all. */
function addedUp(counts: readonly Figures[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [name, count] of counts.flatMap(Object.entries<number>))
    sums.set(
      name,
      name.startsWith('longest ') ? Math.max(sums.get(name) ?? 0, count) : (sums.get(name) ?? 0) + count,
    );
  return sums;
}

export function tableOfPlants(plants: Findings['plants']): Table {
  return [
    ['workload', 'planted mistake', 'must break', 'found'],
    ...plants.map((each) => {
      const { workload, about, breaks } = each.plant;
      const found = each.result.violations.find(({ invariant }) => invariant === breaks);
      return [workload, about, breaks, found === undefined ? 'NOT FOUND' : withoutNames(found.what)];
    }),
  ];
}

/** What was found, without the name of the run and the folder of the machine. */
function withoutNames(what: string): string {
  return what
    .replaceAll(/\/(?:faults|locks)\/[a-z]+-\d+-\d+(?:\.\d+)?\//g, '')
    .replaceAll(/\/[^\s"']*\//g, (path) => (path.includes('.cache') ? '' : path));
}

export function printTable(table: Table): void {
  for (const row of padded(table)) console.log(row.join('  ').trimEnd());
}

/** With columns in line, as the formatter has it. */
export function markdownTable(table: Table): string {
  const [header = [], ...rows] = padded(table.map((row) => row.map((cell) => cell.replaceAll('|', '\\|'))));
  const rule = header.map(({ length }) => '-'.repeat(length));
  return [header, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function padded(table: Table): string[][] {
  const widths =
    table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  return table.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)));
}
