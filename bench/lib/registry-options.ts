import { parseArgs } from 'node:util';
import { positive, whole } from './client-options.js';

const PARTS = ['discover', 'fleet'] as const;
type Part = (typeof PARTS)[number];

export interface RegistryBenchOptions {
  /** Of each measurement. */
  readonly seconds: number;
  /** How often each peer has its turn; the figures are the median. */
  readonly rounds: number;
  readonly parts: ReadonlySet<Part>;
  /** Instances of the fleet. */
  readonly fleet: number;
  /** A binary of packages/registry/test/go-peer to run beside us, if there is one. */
  readonly go: string | undefined;
  /** Where to write the figures as JSON. */
  readonly json: string | undefined;
}

const USAGE = `npm run bench -- registry [options]
  --seconds N       of each measurement                          (2)
  --rounds N        turns of each peer; the median counts        (3)
  --only LIST       of ${PARTS.join(', ')}                           (all)
  --fleet N         instances of the fleet                       (10000)
  --go PATH         the Go peer: packages/registry/test/go-peer/build.sh PATH
  --json FILE       write the figures there as well`;

/** The options of `npm run bench -- registry`; says how they go and ends the process when they are wrong. */
export function registryBenchOptions(): RegistryBenchOptions {
  try {
    const { values } = parseArgs({
      options: {
        seconds: { type: 'string', default: '2' },
        rounds: { type: 'string', default: '3' },
        only: { type: 'string', default: PARTS.join(',') },
        fleet: { type: 'string', default: '10000' },
        go: { type: 'string' },
        json: { type: 'string' },
      },
    });
    return {
      seconds: positive('seconds', values.seconds),
      rounds: whole('rounds', values.rounds),
      parts: new Set(values.only.split(',').map(part)),
      fleet: whole('fleet', values.fleet),
      go: values.go,
      json: values.json,
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
