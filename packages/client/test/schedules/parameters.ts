/** What fast-check is to be run with. */
export interface Schedules {
  readonly seed: number;
  readonly numRuns: number;
  readonly path?: string;
}

/**
 * A run of generated schedules. A failure prints its seed and, once it has shrunk, its path: `COORD_SEED` and
 * `COORD_PATH` play exactly that one again. `COORD_RUNS` asks for more of them: the ordinary run is
 * the same each time, more look elsewhere each time.
 */
export function schedules(numRuns: number): Schedules {
  const { COORD_SEED: seed, COORD_PATH: path, COORD_RUNS: runs } = process.env;
  return {
    seed: Number(seed ?? (runs === undefined ? 1 : Date.now() % 2 ** 31)),
    numRuns: Number(runs ?? numRuns),
    ...(path === undefined ? {} : { path }),
  };
}

/** Time for so many of them, on a machine that is busy with other things. */
export function timeFor({ numRuns }: Schedules): number {
  return 60_000 + numRuns * 60;
}
