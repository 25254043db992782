/** Milliseconds on the system's monotonic clock, which every process of a machine shares (`performance.now()` does not). */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
