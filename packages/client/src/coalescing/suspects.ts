import { monotonicNow } from '../clock.js';
import type { KvCall } from './kv-call.js';

const SUSPECT_MS = 5_000;
const MAX_SUSPECTS = 1_000;

/**
 * What has lately made etcd refuse a call: its lease and its key. Calls with them travel by themselves for a
 * while, because one refused call makes the others of its batch be sent anew.
 */
export class Suspects {
  readonly #until = new Map<string, number>();

  note(call: KvCall<unknown>): void {
    const until = monotonicNow() + SUSPECT_MS;
    for (const name of namesOf(call)) {
      this.#until.delete(name);
      this.#until.set(name, until);
    }
    for (const name of this.#until.keys()) {
      if (this.#until.size <= MAX_SUSPECTS) break;
      this.#until.delete(name);
    }
  }

  includes(call: KvCall<unknown>): boolean {
    if (this.#until.size === 0) return false;
    const now = monotonicNow();
    for (const name of namesOf(call)) {
      const until = this.#until.get(name);
      if (until === undefined) continue;
      if (now < until) return true;
      this.#until.delete(name);
    }
    return false;
  }
}

function* namesOf(call: KvCall<unknown>): Generator<string, void> {
  for (const lease of call.leases()) yield `lease ${lease}`;
  const span = call.footprint.writes[0] ?? call.footprint.reads[0];
  if (span !== undefined) yield `key ${span.start}`;
}
