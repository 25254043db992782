import { parseArgs } from 'node:util';

/** How many callers work at once; the same steps for every peer. */
export const CALLERS = [1, 64, 256] as const;

/** What every bench beside peers can be told. */
export interface BenchOptions<Part extends string> {
  /** Of each measurement. */
  readonly seconds: number;
  /** How often each peer has its turn; the figures are the median. */
  readonly rounds: number;
  readonly parts: ReadonlySet<Part>;
}

/** An option, as the usage shows it. */
interface Option {
  readonly argument: string;
  readonly about: string;
  /** Absent = none. */
  readonly preset?: string;
}

export const GO: Option = { argument: 'PATH', about: "the Go peer's binary" };
export const JSON_FILE: Option = { argument: 'FILE', about: 'write the figures there as well' };

export interface BenchUsage<Part extends string> {
  readonly bench: string;
  readonly parts: readonly Part[];
  /** Its own options, by name. */
  readonly own: Readonly<Record<string, Option>>;
}

/** Reads the options of `npm run bench -- NAME`; says how they go and ends the process when they are wrong. */
export function benchOptions<Part extends string, Own>(
  { bench, parts, own }: BenchUsage<Part>,
  readOwn: (given: Given) => Own,
): BenchOptions<Part> & Own {
  const options: Readonly<Record<string, Option>> = {
    seconds: { argument: 'N', about: 'of each measurement', preset: '2' },
    rounds: { argument: 'N', about: 'turns of each peer; the median counts', preset: '3' },
    only: { argument: 'LIST', about: `of ${parts.join(', ')}`, preset: parts.join(',') },
    ...own,
  };
  try {
    const given = new Given(options);
    const seconds = given.positive('seconds');
    const chosen = given.list('only').map((name) => partOf(parts, name));
    return { seconds, rounds: given.whole('rounds'), parts: new Set(chosen), ...readOwn(given) };
  } catch (error) {
    const lines = Object.entries(options).map(usageOf).join('\n');
    const message = error instanceof Error ? error.message : String(error);
    console.error(`${message}\n\nnpm run bench -- ${bench} [options]\n${lines}`);
    process.exit(2);
  }
}

/** What was given on the command line. */
export class Given {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(options: Readonly<Record<string, Option>>) {
    const asStrings = Object.entries(options).map(([name, { preset }]) => {
      const option = { type: 'string' as const };
      return [name, preset === undefined ? option : { ...option, default: preset }] as const;
    });
    this.#values = parseArgs({ options: Object.fromEntries(asStrings) }).values;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === 'string' ? value : undefined;
  }

  list(name: string): readonly string[] {
    return (this.text(name) ?? '').split(',');
  }

  positive(name: string, text = this.text(name)): number {
    const value = Number(text);
    if (Number.isFinite(value) && value > 0) return value;
    throw new Error(`--${name} must be a positive number, got ${text}`);
  }

  whole(name: string, text = this.text(name)): number {
    const value = this.positive(name, text);
    if (Number.isInteger(value)) return value;
    throw new Error(`--${name} must be a whole number, got ${text}`);
  }
}

function partOf<Part extends string>(parts: readonly Part[], name: string): Part {
  const known = parts.find((each) => each === name);
  if (known !== undefined) return known;
  throw new Error(`--only knows ${parts.join(', ')}, not ${name}`);
}

function usageOf([name, { argument, about, preset }]: [string, Option]): string {
  return `  --${`${name} ${argument}`.padEnd(16)}${about}${preset === undefined ? '' : ` (${preset})`}`;
}
