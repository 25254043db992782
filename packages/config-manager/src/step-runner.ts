import { AsyncLocalStorage } from 'node:async_hooks';
import { Wait } from '@coord/client/internal';
import type { RunStep } from './build-config.js';

/** Runs the user's steps under a deadline, and knows when it is called back from within one. */
export class StepRunner {
  readonly #key: string;
  readonly #timeoutMs: number;
  readonly #scope = new AsyncLocalStorage<{ running: boolean }>();

  constructor(key: string, timeoutMs: number) {
    this.#key = key;
    this.#timeoutMs = timeoutMs;
  }

  /** True within a step that still runs: to wait for the end of the update from there would never end. */
  get inside(): boolean {
    return this.#scope.getStore()?.running === true;
  }

  /** @param stopSignal tells the steps that the manager is being stopped; they are waited for all the same */
  until(stopSignal: AbortSignal): RunStep {
    return async (what, step) => {
      using wait = new Wait({ timeoutMs: this.#timeoutMs }, `config "${this.#key}": ${what}`);
      const scope = { running: true };
      const controller = new AbortController();
      const onStop = () => controller.abort(stopSignal.reason);
      stopSignal.addEventListener('abort', onStop, { once: true });
      if (stopSignal.aborted) onStop();
      wait.cancellation.onAbort(() => controller.abort(wait.cancellation.reason));
      try {
        return await wait.race(this.#scope.run(scope, async () => step({ signal: controller.signal })));
      } finally {
        scope.running = false;
        stopSignal.removeEventListener('abort', onStop);
      }
    };
  }
}
