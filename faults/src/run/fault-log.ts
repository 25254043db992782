import { appendFileSync } from 'node:fs';
import { monotonicMicros } from '../monotonic.js';

/** A fault as it was. */
export interface FaultEntry {
  readonly kind: string;
  /** Where: a member, or a worker and its point. */
  readonly where: Readonly<Record<string, string>>;
  readonly beganAt: number;
  readonly endedAt: number;
  /** It could not be done, such as a move of a leader that was not there. */
  readonly error?: string;
}

/** Writes down what was done to a run. */
export class FaultLog {
  readonly #file: string;
  readonly #counts = new Map<string, number>();

  constructor(file: string) {
    this.#file = file;
  }

  /** How often each was done. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => a.localeCompare(b)));
  }

  /** Returns what is to be called when it is over. */
  began(kind: string, where: FaultEntry['where']): (error?: Error) => void {
    const beganAt = monotonicMicros();
    return (error) => {
      const entry: FaultEntry = {
        ...{ kind, where, beganAt, endedAt: monotonicMicros() },
        ...(error && { error: error.message }),
      };
      appendFileSync(this.#file, `${JSON.stringify(entry)}\n`);
      if (error === undefined) this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    };
  }
}
