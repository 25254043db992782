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
