import { setTimeout as sleep } from 'node:timers/promises';
import type { Lock } from '@coord/lock';
import { monotonicMicros } from '../monotonic.js';
import type { Recorder } from '../recorder.js';
import type { LockShapes, OfHold } from './lock-operations.js';

const STEP_MS = 100;
/** So long after its deadline a lock must have told of its end by itself. */
const OVERDUE_MS = 2_000;

/**
 * Works under the lock for a while, until the lock's signal ends the work. It asks again and again for
 * how long it holds the lock, but never after a deadline that it knows of: to ask might be what makes
 * the signal abort, which has to come by itself.
 */
export async function linger(
  recorder: Recorder<LockShapes>,
  lock: Lock,
  hold: OfHold,
  ms: number,
  signal: AbortSignal = lock.signal,
): Promise<void> {
  const until = monotonicMicros() + ms * 1_000;
  while (monotonicMicros() < until && !signal.aborted) {
    const leftMs = await lock.ttl();
    if (leftMs > 0) recorder.observe('ask', hold, { leftMs });
    const pauseMs = leftMs > 2 * STEP_MS ? STEP_MS : leftMs + OVERDUE_MS;
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}
