import { monotonicNow } from '../clock.js';

/** While etcd is away, writes fail as well: that many are not under way. */
const MAX_PENDING = 1_024;

interface Pending {
  readonly revision: bigint;
  readonly answeredAt: number;
}

/** How far a live copy is behind the writes of its own client: from the answer to a write until the copy shows it. */
export class WriteLag {
  readonly #record: (ms: number) => void;
  #pending: Pending[] = [];

  constructor(record: (ms: number) => void) {
    this.#record = record;
  }

  /** A write has been answered. @param reached what the copy shows by now */
  answered(revision: bigint, reached: bigint): void {
    if (revision <= reached) this.#record(0);
    else if (this.#pending.length < MAX_PENDING) {
      this.#pending.push({ revision, answeredAt: monotonicNow() });
    }
  }

  /** The copy shows everything up to this revision. */
  reached(revision: bigint): void {
    if (this.#pending.length === 0) return;
    const now = monotonicNow();
    this.#pending = this.#pending.filter((each) => {
      if (each.revision > revision) return true;
      this.#record(now - each.answeredAt);
      return false;
    });
  }

  /** What was written belongs to another history. */
  clear(): void {
    this.#pending = [];
  }
}
