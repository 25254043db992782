import { parseArgs } from 'node:util';

/** How many callers work at once; the same steps for every peer. */
export const CALLERS = [1, 64, 256] as const;

export interface BenchOptions {
  readonly seconds: number;
  /** A binary of the Go peer to run beside us, if there is one. */
  readonly go: string | undefined;
}

export function benchOptions(): BenchOptions {
  const { values } = parseArgs({
    options: { seconds: { type: 'string', default: '3' }, go: { type: 'string' } },
  });
  const seconds = Number(values.seconds);
  if (!Number.isFinite(seconds) || seconds <= 0) {
    console.error(`--seconds must be a positive number, got ${values.seconds}`);
    process.exit(2);
  }
  return { seconds, go: values.go };
}
