import { parseArgs } from 'node:util';
import { positive, whole } from './client-options.js';

const PARTS = ['read', 'write', 'managers', 'prefix'] as const;
type Part = (typeof PARTS)[number];

export interface ConfigBenchOptions {
  /** Of each measurement. */
  readonly seconds: number;
  /** How often each peer has its turn; the figures are the median. */
  readonly rounds: number;
  readonly parts: ReadonlySet<Part>;
  /** Managers in one process. */
  readonly managers: number;
  /** Keys below the prefix. */
  readonly keys: number;
}

const USAGE = `npm run bench -- config [options]
  --seconds N       of each measurement                          (2)
  --rounds N        turns of each peer; the median counts        (3)
  --only LIST       of ${PARTS.join(', ')}          (all)
  --managers N      in this process                              (1000)
  --keys N          below the prefix                             (100000)`;

/** The options of `npm run bench -- config`; says how they go and ends the process when they are wrong. */
export function configBenchOptions(): ConfigBenchOptions {
  try {
    const { values } = parseArgs({
      options: {
        seconds: { type: 'string', default: '2' },
        rounds: { type: 'string', default: '3' },
        only: { type: 'string', default: PARTS.join(',') },
        managers: { type: 'string', default: '1000' },
        keys: { type: 'string', default: '100000' },
      },
    });
    return {
      seconds: positive('seconds', values.seconds),
      rounds: whole('rounds', values.rounds),
      parts: new Set(values.only.split(',').map(part)),
      managers: whole('managers', values.managers),
      keys: whole('keys', values.keys),
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

function part(name: string): Part {
  const known = PARTS.find((each) => each === name);
  if (known !== undefined) return known;
  throw new Error(`--only knows ${PARTS.join(', ')}, not ${name}`);
}
