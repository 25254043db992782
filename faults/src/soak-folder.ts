import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { CyclesResult } from './leaks/run-cycles.js';
import { RunFolder } from './run/run-folder.js';
import type { RunResult } from './run/run-workload.js';
import type { Skipped } from './stage/stages.js';
import { workloadNamed } from './workloads.js';

/** What a soak leaves in its folder besides its runs. */
export interface SoakRecord {
  /** How the report begins. */
  readonly title: string;
  readonly skipped: readonly Skipped[];
  readonly cycles: readonly CyclesResult[];
  readonly crashes: readonly string[];
}

const RECORD = 'soak.json';
/** What only the run itself can see. */
const SEEN_BY_THE_RUN = ['end', 'left'];

export function writeSoak(folder: string, record: SoakRecord): void {
  writeFileSync(join(folder, RECORD), `${JSON.stringify(record, undefined, 2)}\n`);
}

export function readSoak(folder: string): SoakRecord {
  return JSON.parse(readFileSync(join(folder, RECORD), 'utf8'));
}

/** The runs of a soak, judged by the checks as they are now. */
export function judgedAnew(folder: string): RunResult[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => basename(file) === 'result.json')
    .map((file) => judged(join(folder, dirname(file))));
}

function judged(path: string): RunResult {
  const result: RunResult = JSON.parse(readFileSync(join(path, 'result.json'), 'utf8'));
  const seen = result.violations.filter(({ invariant }) => SEEN_BY_THE_RUN.includes(invariant));
  return { ...result, violations: [...seen, ...workloadNamed(result.workload).check(new RunFolder(path))] };
}
