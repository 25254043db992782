/** Microseconds of CLOCK_MONOTONIC, which all processes of a machine share and nobody sets. */
export function monotonicMicros(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}
