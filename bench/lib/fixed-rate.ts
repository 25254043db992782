import { type Figures, figuresOf } from './measure.js';
import { now, Ticker } from './ticker.js';

/** What is due comes in groups: each wakes this process once. */
const GROUP_MS = 2;

/**
 * Operations that are due at fixed times, a group every 2 ms, whether or not earlier ones have ended. Each is
 * measured from when it was due, so that a stall is not hidden by callers that wait for it. The first second is
 * not measured: it goes at the same rate.
 * @param operation resolves to a function that finishes it, which is not measured
 */
export async function atFixedRate(
  { perSecond, seconds }: { readonly perSecond: number; readonly seconds: number },
  operation: (index: number) => Promise<() => Promise<unknown>>,
): Promise<Figures> {
  await using ticker = await Ticker.start();
  const size = Math.max(1, Math.round((perSecond * GROUP_MS) / 1_000));
  /** @returns how long each has taken, when all have been finished */
  const run = async (forSeconds: number): Promise<number[]> => {
    const latencies: number[] = [];
    const running: Promise<void>[] = [];
    const one = async (index: number, due: number): Promise<void> => {
      const finish = await operation(index);
      latencies.push(now() - due);
      await finish();
    };
    const schedule = {
      everyMs: (size * 1_000) / perSecond,
      count: Math.round((perSecond * forSeconds) / size),
    };
    await ticker.run(schedule, (tick, due) => {
      for (let index = tick * size; index < (tick + 1) * size; index++) running.push(one(index, due));
    });
    await Promise.all(running);
    return latencies;
  };
  await run(1);
  return await figuresOf(() => run(seconds));
}
