import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { backoffDelayMs } from './backoff.js';
import type { CompactionCheck } from './compaction-check.js';
import { AuthError, PermissionError } from './errors.js';
import type { MuxedWatch } from './watch-attachments.js';

/** What becomes of a watch that starts in the past. */
export interface GateHooks<W> {
  /** Its past is there: it may be created. */
  pass(watch: W): void;
  compacted(watch: W, compactRevision: bigint): void;
}

/** Watches let through or sent back in one turn of the event loop. */
const SETTLED_A_TURN = 256;
const BACKOFF = { initialDelayMs: 100, maxDelayMs: 1_000, multiplier: 2 };

/** Holds watches that start in the past until it is known that the past is still there: one look for all that wait. */
export class CompactionGate<W extends MuxedWatch> {
  readonly #check: CompactionCheck;
  readonly #hooks: GateHooks<W>;
  readonly #waiting = new Set<W>();
  /** Counts the streams: what was found out for one is not valid for the next. */
  #stream = 0;
  #running = false;

  constructor(check: CompactionCheck, hooks: GateHooks<W>) {
    this.#check = check;
    this.#hooks = hooks;
  }

  add(watch: W): void {
    this.#waiting.add(watch);
    if (!this.#running) void this.#run();
  }

  delete(watch: W): void {
    this.#waiting.delete(watch);
  }

  /** The stream is gone, and with it whoever waited. */
  clear(): void {
    this.#stream++;
    this.#waiting.clear();
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let failures = 0; this.#waiting.size > 0; ) {
      const stream = this.#stream;
      const waiting = [...this.#waiting];
      const first = waiting.reduce((a, b) => (b.needs < a.needs ? b : a));
      try {
        const compactRevision = await this.#check.newerThan(first.needs, first.key);
        failures = 0;
        await this.#settle(waiting, stream, compactRevision);
      } catch (error) {
        if (stream !== this.#stream) continue;
        // Who may not read, or is not let in, may not watch either: the server will say so, to this one alone.
        if (error instanceof PermissionError || error instanceof AuthError) this.#let(first, 0n);
        else await sleep(backoffDelayMs(++failures, BACKOFF), undefined, { ref: false });
      }
    }
    this.#running = false;
  }

  async #settle(waiting: readonly W[], stream: number, compactRevision: bigint): Promise<void> {
    let count = 0;
    for (const watch of waiting) {
      if (count++ % SETTLED_A_TURN === SETTLED_A_TURN - 1) await nextTurn();
      if (stream !== this.#stream) return;
      this.#let(watch, compactRevision);
    }
  }

  #let(watch: W, compactRevision: bigint): void {
    if (!this.#waiting.delete(watch)) return;
    // Who then begins with what it is told must not be sent back again.
    const first = watch.needs + 2n;
    if (watch.needs < compactRevision)
      this.#hooks.compacted(watch, compactRevision < first ? first : compactRevision);
    else this.#hooks.pass(watch);
  }
}
