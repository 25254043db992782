import { monotonicMicros } from '../monotonic.js';
import type { Operation } from '../operation.js';
import type { Recorder } from '../recorder.js';
import type { FaultEntry } from '../run/fault-log.js';

export type StallShapes = {
  /** The process got no turn from then to then, in microseconds: the machine had none for it. */
  stall: { input: object; output: { readonly from: number; readonly to: number } };
};

const LOOK_EVERY_MS = 50;
const STALL_MS = 250;

/** Notes when the process stands still, be it frozen or for want of a processor. Returns what ends it. */
export function noteStalls(recorder: Pick<Recorder<StallShapes>, 'observe'>): () => void {
  let last = monotonicMicros();
  const looking = setInterval(() => {
    const now = monotonicMicros();
    if (now - last > STALL_MS * 1_000) recorder.observe('stall', {}, { from: last, to: now });
    last = now;
  }, LOOK_EVERY_MS);
  return () => clearInterval(looking);
}

/** As faults that each have struck one process. */
export function stallsOf(history: readonly Operation[]): FaultEntry[] {
  return history.flatMap(({ name, process, output }) => {
    if (name !== 'stall') return [];
    const { from, to } = output as StallShapes['stall']['output'];
    return [{ kind: 'stall', where: { worker: process }, beganAt: from, endedAt: to }];
  });
}
