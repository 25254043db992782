import { setTimeout as sleep } from 'node:timers/promises';
import type { CoordClient } from '@coord/client';
import type { EtcdEvent } from '../etcd-event.js';
import { untilItWorks } from './until-it-works.js';
import { asidePrefix, IDLE, LAST } from './watch-names.js';

const ASK_MS = 200;

/** The last revision of a run, by etcd's log. */
export function endOf(log: readonly EtcdEvent[]): number {
  const last = log.find(({ type, key }) => type === 'put' && key.endsWith(`/${IDLE}/${LAST}`));
  return last?.revision ?? Number.POSITIVE_INFINITY;
}

/** The last revision of a run: whoever has come so far has seen everything. */
export class RunEnd {
  #revision: bigint | undefined;
  readonly #waiting = new Set<() => void>();
  readonly #known = new AbortController();

  /** Finds it out when the run has stopped. */
  async find({ kv }: CoordClient, run: string, stopped: AbortSignal): Promise<void> {
    while (this.#revision === undefined) {
      await sleep(ASK_MS);
      if (!stopped.aborted) continue;
      const last = await untilItWorks(() => kv.get(`${asidePrefix(run, IDLE)}${LAST}`));
      this.#revision = last?.modRevision;
    }
    this.#known.abort();
    for (const tell of this.#waiting) tell();
  }

  /** Fires when it is known. */
  get known(): AbortSignal {
    return this.#known.signal;
  }

  isReached(revision: bigint): boolean {
    return this.#revision !== undefined && revision >= this.#revision;
  }

  /** Calls back when it is known, perhaps at once. */
  onKnown(tell: () => void): () => void {
    if (this.#revision === undefined) this.#waiting.add(tell);
    else tell();
    return () => this.#waiting.delete(tell);
  }
}
