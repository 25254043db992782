import { setTimeout as sleep } from 'node:timers/promises';
import type { CoordClient } from '@coord/client';
import { monotonicMicros } from '../monotonic.js';

const LOOK_MS = 50;
const STALL_MS = 250;

/** Tells of each time that this process stood still, when it goes on: frozen, or without a processor. */
export function tellOfStalls(tell: (ms: number) => void): Disposable {
  let last = monotonicMicros();
  const timer = setInterval(() => {
    const now = monotonicMicros();
    const ms = (now - last) / 1_000;
    if (ms > STALL_MS) tell(ms);
    last = now;
  }, LOOK_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

const READ_EVERY_MS = 300;
const SLOW_MS = 400;

/** Tells of each time that etcd took long to answer, until it is stopped: without a processor it does nothing in time. */
export async function tellOfSlowReads(
  { kv }: CoordClient,
  stopped: AbortSignal,
  tell: (ms: number) => void,
): Promise<void> {
  while (!stopped.aborted) {
    const before = monotonicMicros();
    await kv.get('/faults-probe').catch(() => undefined); // it has tried for long
    const ms = (monotonicMicros() - before) / 1_000;
    if (ms > SLOW_MS) tell(ms);
    await sleep(READ_EVERY_MS, undefined, { signal: stopped }).catch(() => undefined);
  }
}
