import { setImmediate as turn } from 'node:timers/promises';
import { vi } from 'vitest';

/** As long as nothing comes of it in so many turns of the event loop, nothing more comes of it. */
const TURNS = 4;
/** Where time passes with the event loop running, it does so in at most so many steps. */
const STEPS = 8;
const MIN_STEP_MS = 50;

/**
 * Time that passes when it is told to, and chance that follows from a seed. `setImmediate` and promises are
 * the real ones: what follows at once follows at once.
 */
export class SimulatedTime implements Disposable {
  constructor(seed: number) {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'], now: 1_000_000 });
    let state = seed >>> 0;
    vi.spyOn(Math, 'random').mockImplementation(() => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    });
  }

  get now(): number {
    return performance.now();
  }

  /** Lets everything happen that can happen now. */
  async settle(): Promise<void> {
    for (let i = 0; i < TURNS; i++) await turn();
  }

  async pass(ms: number): Promise<void> {
    const stepMs = Math.max(MIN_STEP_MS, Math.ceil(ms / STEPS));
    for (let left = ms; left > 0; left -= stepMs) {
      vi.advanceTimersByTime(Math.min(left, stepMs));
      await this.settle();
    }
  }

  /** As where the process stands still: the timers fire late, and nothing else happens in between. */
  async stall(ms: number): Promise<void> {
    vi.advanceTimersByTime(ms);
    await this.settle();
  }

  /** Somebody sets the wall clock, or the machine was suspended. */
  jump(ms: number): void {
    vi.setSystemTime(Date.now() + ms);
  }

  [Symbol.dispose](): void {
    vi.useRealTimers();
    vi.restoreAllMocks();
  }
}
