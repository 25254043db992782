import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import {
  type Findings,
  markdownTable,
  tableOfCycles,
  tableOfFaults,
  tableOfFigures,
  tableOfPlants,
  tableOfRuns,
  tableOfStages,
  tableOfViolations,
} from './report.js';

const PAGE = fileURLToPath(new URL('../../docs/reliability.md', import.meta.url));

/** Puts what a run has shown into the page, in place of what stood there. */
export function writeReport(part: 'faults' | 'soak', title: string, findings: Findings): void {
  const { runs, plants, skipped = [], cycles = [] } = findings;
  const etcd = [...new Set(runs.map((run) => run.versions))].sort().join(', ');
  const violations = tableOfViolations(runs);
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}`;
  const text = [
    `${title} ${new Date().toISOString().slice(0, 10)}, etcd ${etcd}, Node ${process.version}, ${machine}.`,
    markdownTable(tableOfRuns(runs)),
    ...(part === 'soak' ? [markdownTable(tableOfStages(runs))] : []),
    ...(violations.length > 1 ? [markdownTable(violations)] : []),
    ...skipped.map(({ stage, about, reason }) => `**Not done**: ${stage} (${about}), because ${reason}.`),
    markdownTable(tableOfFigures(runs)),
    markdownTable(tableOfFaults(runs)),
    ...(cycles.length > 0 ? [markdownTable(tableOfCycles(cycles))] : []),
    ...(plants.length > 0 ? [markdownTable(tableOfPlants(plants))] : []),
  ].join('\n\n');
  const [begin, end] = [`<!-- ${part}: begin -->`, `<!-- ${part}: end -->`];
  const page = readFileSync(PAGE, 'utf8');
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`${PAGE} has no place for ${part}`);
  writeFileSync(PAGE, `${before}${begin}\n\n${text}\n\n${end}${after}`);
}
