import { parseArgs } from 'node:util';

const PARTS = ['put', 'get', 'crowd'] as const;
export type Part = (typeof PARTS)[number];

export interface ClientBenchOptions {
  /** Of each measurement. */
  readonly seconds: number;
  /** How often each peer has its turn; the figures are the median. */
  readonly rounds: number;
  readonly parts: ReadonlySet<Part>;
  /** How many callers work at once. */
  readonly callers: readonly number[];
  /** Sessions, and watchers, of the crowd. */
  readonly crowd: number;
  /** A binary of the Go peer to run beside us, if there is one. */
  readonly go: string | undefined;
  /** Where to write the figures as JSON. */
  readonly json: string | undefined;
}

const USAGE = `npm run bench -- client [options]
  --seconds N       of each measurement                          (2)
  --rounds N        turns of each peer; the median counts        (3)
  --only LIST       of ${PARTS.join(', ')}                            (all)
  --callers LIST    how many work at once                        (1,64,256)
  --crowd N         sessions and watchers held at once           (10000)
  --go PATH         the Go peer's binary
  --json FILE       write the figures there as well`;

/** The options of `npm run bench -- client`; says how they go and ends the process when they are wrong. */
export function clientBenchOptions(): ClientBenchOptions {
  try {
    const { values } = parseArgs({
      options: {
        seconds: { type: 'string', default: '2' },
        rounds: { type: 'string', default: '3' },
        only: { type: 'string', default: PARTS.join(',') },
        callers: { type: 'string', default: '1,64,256' },
        crowd: { type: 'string', default: '10000' },
        go: { type: 'string' },
        json: { type: 'string' },
      },
    });
    return {
      seconds: positive('seconds', values.seconds),
      rounds: whole('rounds', values.rounds),
      parts: new Set(values.only.split(',').map(part)),
      callers: values.callers.split(',').map((each) => whole('callers', each)),
      crowd: whole('crowd', values.crowd),
      go: values.go,
      json: values.json,
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

export function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`--${name} must be a positive number, got ${text}`);
}

export function whole(name: string, text: string): number {
  const value = positive(name, text);
  if (Number.isInteger(value)) return value;
  throw new Error(`--${name} must be a whole number, got ${text}`);
}

function part(name: string): Part {
  const known = PARTS.find((each) => each === name);
  if (known !== undefined) return known;
  throw new Error(`--only knows ${PARTS.join(', ')}, not ${name}`);
}
