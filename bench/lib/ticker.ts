import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

export interface Schedule {
  readonly everyMs: number;
  readonly count: number;
}

const THREAD = `
  const { parentPort } = require('node:worker_threads');
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  parentPort.on('message', ({ startsAt, everyMs, count }) => {
    for (let tick = 0; tick < count; tick++) {
      const ms = startsAt + tick * everyMs - Number(process.hrtime.bigint()) / 1e6;
      if (ms > 0) Atomics.wait(sleeper, 0, 0, ms);
      parentPort.postMessage(tick);
    }
  });`;

/**
 * Ticks at fixed times, whatever the event loop is busy with. The timers of this process are late by up to
 * 2 ms, which would be measured with everything that they start; a thread that sleeps is not.
 */
export class Ticker implements AsyncDisposable {
  readonly #worker = new Worker(THREAD, { eval: true });

  static async start(): Promise<Ticker> {
    const ticker = new Ticker();
    await once(ticker.#worker, 'online');
    return ticker;
  }

  /** Calls back at each tick, with the time at which it was due. @returns when the last one has been told */
  async run({ everyMs, count }: Schedule, onTick: (tick: number, due: number) => void): Promise<void> {
    const startsAt = now();
    await new Promise<void>((resolve) => {
      const listen = (tick: number): void => {
        onTick(tick, startsAt + tick * everyMs);
        if (tick < count - 1) return;
        this.#worker.off('message', listen);
        resolve();
      };
      this.#worker.on('message', listen);
      this.#worker.postMessage({ startsAt, everyMs, count });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}

/** Milliseconds of the clock that all threads share. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
