import { setTimeout as sleep } from 'node:timers/promises';
import { type Figures, figuresOf } from './measure.js';

/** Timers are no finer than this, so what is due comes in groups. */
const TICK_MS = 2;

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
  await groups(perSecond, 1, operation);
  return await figuresOf(() => groups(perSecond, seconds, operation));
}

/** @returns how long each has taken, when all have been finished */
async function groups(
  perSecond: number,
  seconds: number,
  operation: (index: number) => Promise<() => Promise<unknown>>,
): Promise<number[]> {
  const latencies: number[] = [];
  const pending = new Set<Promise<void>>();
  const startedAt = performance.now();
  const total = Math.round(perSecond * seconds);
  const size = Math.max(1, Math.round((perSecond * TICK_MS) / 1_000));
  const one = async (index: number, due: number): Promise<void> => {
    const finish = await operation(index);
    latencies.push(performance.now() - due);
    await finish();
  };
  for (let index = 0; index < total; await sleep(TICK_MS)) {
    while (index < total) {
      const due = startedAt + (index * 1_000) / perSecond;
      if (due > performance.now()) break;
      for (const end = Math.min(total, index + size); index < end; index++) {
        const running = one(index, due).finally(() => pending.delete(running));
        pending.add(running);
      }
    }
  }
  await Promise.all(pending);
  return latencies;
}
