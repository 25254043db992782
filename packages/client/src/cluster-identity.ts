import { monotonicNow } from './clock.js';

/** Which cluster the endpoint in use belongs to: behind the same address there may be another one tomorrow. */
export class ClusterIdentity {
  readonly #ask: () => Promise<string>;
  #asking: Promise<void> | undefined;
  #last: { readonly id: string; readonly askedAt: number } | undefined;

  /** @param ask asks etcd for the id */
  constructor(ask: () => Promise<string>) {
    this.#ask = ask;
  }

  /** What etcd has said last. */
  get known(): string | undefined {
    return this.#last?.id;
  }

  /** What etcd says when asked after that moment on the monotonic clock. Many may ask at once: it is one call. */
  async readSince(moment: number): Promise<string> {
    for (;;) {
      if (this.#last !== undefined && this.#last.askedAt >= moment) return this.#last.id;
      this.#asking ??= this.#read().finally(() => {
        this.#asking = undefined;
      });
      await this.#asking;
    }
  }

  async #read(): Promise<void> {
    const askedAt = monotonicNow();
    const id = await this.#ask();
    this.#last = { id, askedAt };
  }
}
