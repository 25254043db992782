import { setTimeout as sleep } from 'node:timers/promises';
import type { Figures } from './measure.js';

const TICK_MS = 2;

/**
 * Operations that are due at fixed times, whether or not earlier ones have ended. Each is measured
 * from when it was due, so that a stall is not hidden by callers that wait for it.
 * @param operation resolves to a function that finishes it, which is not measured
 */
export async function atFixedRate(
  { perSecond, seconds }: { readonly perSecond: number; readonly seconds: number },
  operation: (index: number) => Promise<() => Promise<unknown>>,
): Promise<Figures> {
  const latencies: number[] = [];
  const pending = new Set<Promise<void>>();
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  const total = Math.round(perSecond * seconds);
  const one = async (index: number, due: number): Promise<void> => {
    const finish = await operation(index);
    latencies.push(performance.now() - due);
    await finish();
  };
  for (let index = 0; index < total; await sleep(TICK_MS)) {
    for (; index < total; index++) {
      const due = startedAt + (index * 1_000) / perSecond;
      if (due > performance.now()) break;
      const running = one(index, due).finally(() => pending.delete(running));
      pending.add(running);
    }
  }
  await Promise.all(pending);
  const elapsedSeconds = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
  return {
    perSecond: total / elapsedSeconds,
    p50: at(0.5),
    p99: at(0.99),
    cpuMicros: (user + system) / total,
  };
}
