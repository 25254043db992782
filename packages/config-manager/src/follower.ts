import { ClosedError } from '@coord/client';
import { backoffDelayMs, delay } from '@coord/client/internal';
import type { ConfigCenter, ConfigWatch } from '@coord/config';
import { type Candidate, toCandidate } from './candidate.js';

export interface FollowerCallbacks {
  readonly onCandidate: (candidate: Candidate) => void;
  readonly onError: (error: unknown) => void;
}

const REOPEN = { initialDelayMs: 1_000, maxDelayMs: 30_000, multiplier: 2 };

/**
 * Follows the key in the centre. The watch itself outlasts every outage; what it throws is of another
 * kind (a permission taken away), and may be mended in etcd, so it is opened again.
 */
export class Follower {
  readonly #config: ConfigCenter;
  readonly #key: string;
  readonly #callbacks: FollowerCallbacks;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #watch: ConfigWatch | undefined;

  constructor(config: ConfigCenter, key: string, callbacks: FollowerCallbacks) {
    this.#config = config;
    this.#key = key;
    this.#callbacks = callbacks;
    this.#done = this.#follow();
  }

  get live(): boolean {
    return this.#watch?.live === true;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#watch?.close();
    await this.#done;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        this.#watch = this.#config.watch(this.#key, { initial: true });
        for await (const change of this.#watch) {
          failures = 0;
          this.#callbacks.onCandidate(toCandidate(change));
        }
      } catch (error) {
        if (signal.aborted) return;
        this.#callbacks.onError(error);
        if (error instanceof ClosedError) return; // the centre or its client: nothing will come any more
      }
      await delay(backoffDelayMs(Math.max(failures, 1), REOPEN), signal).catch(() => undefined);
    }
  }
}
