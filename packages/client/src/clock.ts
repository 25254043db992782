/** Milliseconds on the monotonic clock: never set back, never jumps. The only clock for durations. */
export function monotonicNow(): number {
  return performance.now();
}
