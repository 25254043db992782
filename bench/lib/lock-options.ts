import { parseArgs } from 'node:util';
import { positive, whole } from './client-options.js';

const PARTS = ['free', 'rate', 'clients', 'tasks'] as const;
type Part = (typeof PARTS)[number];

export interface LockBenchOptions {
  /** Of each measurement. */
  readonly seconds: number;
  /** How often each peer has its turn; the figures are the median. */
  readonly rounds: number;
  readonly parts: ReadonlySet<Part>;
  /** A binary of the Go peer to run beside us, if there is one. */
  readonly go: string | undefined;
}

const USAGE = `npm run bench -- lock [options]
  --seconds N       of each measurement                          (2)
  --rounds N        turns of each peer; the median counts        (3)
  --only LIST       of ${PARTS.join(', ')}               (all)
  --go PATH         the Go peer's binary`;

/** The options of `npm run bench -- lock`; says how they go and ends the process when they are wrong. */
export function lockBenchOptions(): LockBenchOptions {
  try {
    const { values } = parseArgs({
      options: {
        seconds: { type: 'string', default: '2' },
        rounds: { type: 'string', default: '3' },
        only: { type: 'string', default: PARTS.join(',') },
        go: { type: 'string' },
      },
    });
    return {
      seconds: positive('seconds', values.seconds),
      rounds: whole('rounds', values.rounds),
      parts: new Set(values.only.split(',').map(part)),
      go: values.go,
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
