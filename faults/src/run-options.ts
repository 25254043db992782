import { randomInt } from 'node:crypto';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { STAGES } from './stage/stages.js';
import { WORKLOADS } from './workloads.js';

export interface RunOptions {
  readonly seed: number;
  readonly workloads: readonly string[];
  /** Of a soak; absent: all that this machine has. */
  readonly stages: readonly string[] | undefined;
  /** Of each run. */
  readonly seconds: number;
  /** Of a soak. */
  readonly minutes: number;
  /** Where the folders of the runs lie. */
  readonly folder: string;
  /** A folder of an earlier run, to be run again. */
  readonly replay: string | undefined;
  /** A folder of an earlier run, to be judged again. */
  readonly check: string | undefined;
  /** A folder of an earlier soak, of which the report is to be written again. */
  readonly report: string | undefined;
}

const NAMES = WORKLOADS.map(({ name }) => name);
const STAGE_NAMES = STAGES.map(({ name }) => name);
const USAGE = `npm run faults -- [options], npm run soak -- --minutes N [options]
  --seed N         repeats the faults of a run, as far as the machine's timing lets it
  --only LIST      of ${NAMES.join(', ')}
  --seconds N      of each run (15, of the soak 30)
  --minutes N      of the soak (60)
  --stages LIST    of the soak: ${STAGE_NAMES.join(', ')}
  --folder PATH    where histories, faults and etcd's log are kept (.cache/faults)
  --replay FOLDER  runs what is in the folder again
  --check FOLDER   only judges what is in the folder
  --report FOLDER  of the soak: judges all runs of an earlier one anew, and writes the report`;

/** Reads the command line; says how it goes and ends the process when it is wrong. */
export function runOptions(ordinary: { readonly seconds: number }): RunOptions {
  try {
    const text = { type: 'string' } as const;
    const { values } = parseArgs({
      options: {
        ...{ seed: text, folder: text, stages: text, replay: text, check: text, report: text },
        only: { ...text, default: NAMES.join(',') },
        seconds: { ...text, default: String(ordinary.seconds) },
        minutes: { ...text, default: '60' },
      },
    });
    return {
      seed: values.seed === undefined ? randomInt(2 ** 31) : number('seed', values.seed),
      workloads: values.only.split(',').map((name) => known('only', name, NAMES)),
      stages: values.stages?.split(',').map((name) => known('stages', name, STAGE_NAMES)),
      seconds: number('seconds', values.seconds),
      minutes: number('minutes', values.minutes),
      folder: resolve(values.folder ?? `.cache/faults/${new Date().toISOString().replaceAll(':', '-')}`),
      replay: values.replay,
      check: values.check,
      report: values.report,
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

function number(name: string, text: string): number {
  const value = Number(text);
  if (text !== '' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`--${name} must be a whole number, got ${text}`);
}

function known(option: string, name: string, names: readonly string[]): string {
  if (names.includes(name)) return name;
  throw new Error(`--${option} knows ${names.join(', ')}, not ${name}`);
}
