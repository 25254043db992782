import { monotonicNow } from '../clock.js';
import type { BatchLimits } from './batch.js';
import type { Footprint } from './footprint.js';

/** etcd's `--max-txn-ops`, unless it turns out to be set lower. */
const MAX_OPS = 128;
/** etcd's `--max-request-bytes` is 1.5 MiB, unless it turns out to be set lower; some room is left. */
const MAX_REQUEST_BYTES = 1.5 * 1024 * 1024 - 64 * 1024;
/** A larger answer would keep its first reader waiting for the others' data. */
const MAX_RESPONSE_BYTES = 1024 * 1024;
/** Deletes keep away from puts for this long after etcd has said that it has no space left. */
const SEPARATE_SPACE_MS = 5_000;

/** What the servers of this client have been seen to take and to answer. */
export class LearnedLimits {
  #ops = MAX_OPS;
  #requestBytes = MAX_REQUEST_BYTES;
  #noSpaceUntil = Number.NEGATIVE_INFINITY;
  /** What the answer to the read of a key, and to that of a range, has taken lately. First a guess that errs on the large side. */
  readonly #keyAnswer = new RecentSize(16 * 1024);
  readonly #rangeAnswer = new RecentSize(64 * 1024);

  get current(): BatchLimits {
    return {
      ops: this.#ops,
      requestBytes: this.#requestBytes,
      responseBytes: MAX_RESPONSE_BYTES,
      separateSpace: monotonicNow() < this.#noSpaceUntil,
    };
  }

  /**
   * So many operations were too many for the server.
   * @param ops as etcd counts them: so half of them is at least half of what it takes, whichever call was to blame
   */
  noteTooManyOps(ops: number): void {
    this.#ops = Math.max(1, Math.min(this.#ops, Math.ceil(ops / 2)));
  }

  /** A batch of this size, estimated from above, was too large for the server. */
  noteTooLarge(bytes: number): void {
    this.#requestBytes = Math.max(1, Math.min(this.#requestBytes, Math.ceil(bytes / 2)));
  }

  noteNoSpace(): void {
    this.#noSpaceUntil = monotonicNow() + SEPARATE_SPACE_MS;
  }

  noteAnswer({ reads }: Footprint, bytes: number): void {
    const [read] = reads;
    if (read !== undefined && reads.length === 1) {
      (read.single ? this.#keyAnswer : this.#rangeAnswer).note(bytes);
    }
  }

  expectedAnswer({ reads }: Footprint): number {
    let bytes = 0;
    for (const { single } of reads) bytes += (single ? this.#keyAnswer : this.#rangeAnswer).bytes;
    return bytes;
  }
}

/** An average that rises fast and falls slowly. */
class RecentSize {
  bytes: number;

  constructor(bytes: number) {
    this.bytes = bytes;
  }

  note(bytes: number): void {
    this.bytes += (bytes - this.bytes) * (bytes > this.bytes ? 0.5 : 0.05);
  }
}
