import { addAbortListener } from 'node:events';

/** The pause before something is tried again, which ends early for whoever cannot wait. */
export class RetryPause {
  #end: ((early: boolean) => void) | undefined;

  /** Resolves when the time is over or `signal` fires, or to true when `end` has been called. */
  async wait(ms: number, signal: AbortSignal): Promise<boolean> {
    using _stop = addAbortListener(signal, () => this.#end?.(false));
    const early = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => this.#end?.(false), ms).unref();
      this.#end = (ended) => {
        clearTimeout(timer);
        this.#end = undefined;
        resolve(ended);
      };
    });
    return early;
  }

  /** Ends the pause, if there is one. @returns whether there was */
  end(): boolean {
    const pausing = this.#end !== undefined;
    this.#end?.(true);
    return pausing;
  }
}
