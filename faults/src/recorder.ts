import { openSync, writeSync } from 'node:fs';
import { CoordError } from '@coord/client';
import { monotonicMicros } from './monotonic.js';
import type { Operation, Outcome, Shapes } from './operation.js';

/** Thrown by the work of an operation: etcd has answered that it did not do it. */
export class Refused extends Error {}

/** What is written of an operation: one line before it begins and one when it has ended. */
export type HistoryLine =
  | { readonly invoke: number; readonly name: string; readonly input: unknown; readonly at: number }
  | {
      readonly return: number;
      readonly outcome: Outcome;
      readonly output?: unknown;
      readonly error?: string;
      readonly at: number;
    };

export interface Result<Output> {
  readonly outcome: Outcome;
  readonly output?: Output;
}

/**
 * Writes down what a process does. Each line is in the file before the process goes on, so that of one
 * that is killed nothing is forgotten: what it had begun is `unknown`.
 */
export class Recorder<S extends Shapes> {
  readonly #file: number;
  readonly #onReturn: (name: string, outcome: Outcome, input: object) => void;
  #count = 0;

  constructor(file: string, onReturn: (name: string, outcome: Outcome, input: object) => void) {
    this.#file = openSync(file, 'a');
    this.#onReturn = onReturn;
  }

  /** Does the work and records it. What fails as etcd and networks fail is an outcome; all else is a bug, and thrown. */
  async perform<Name extends keyof S & string>(
    name: Name,
    input: S[Name]['input'],
    work: () => Promise<S[Name]['output']>,
  ): Promise<Result<S[Name]['output']>> {
    const id = this.#invoke(name, input);
    try {
      const output = await work();
      this.#return(id, name, input, { outcome: 'ok', output });
      return { outcome: 'ok', output };
    } catch (error) {
      const outcome = outcomeOf(error);
      this.#return(id, name, input, { outcome }, String(error));
      return { outcome };
    }
  }

  /** Records what the process has seen, at this moment. */
  observe<Name extends keyof S & string>(
    name: Name,
    input: S[Name]['input'],
    output: S[Name]['output'],
  ): void {
    this.#return(this.#invoke(name, input), name, input, { outcome: 'ok', output });
  }

  #invoke(name: string, input: object): number {
    this.#count += 1;
    this.#write({ invoke: this.#count, name, input, at: monotonicMicros() });
    return this.#count;
  }

  #return(id: number, name: string, input: object, result: Result<unknown>, error?: string): void {
    this.#write({ return: id, ...result, ...(error && { error }), at: monotonicMicros() });
    this.#onReturn(name, result.outcome, input);
  }

  #write(line: HistoryLine): void {
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
  }
}

function outcomeOf(error: unknown): Outcome {
  if (error instanceof Refused) return 'failed';
  if (!CoordError.is(error)) throw error;
  return error.outcome === 'unknown' ? 'unknown' : 'failed';
}

/** The operations of one process; one that never returned is `unknown`. */
export function operationsOf(process: string, lines: readonly HistoryLine[]): Operation[] {
  const operations = new Map<number, Operation>();
  for (const line of lines) {
    if ('invoke' in line) {
      const { name, input, at: invokedAt } = line;
      const begun = { process, name, input, invokedAt } as const;
      operations.set(line.invoke, { ...begun, outcome: 'unknown', returnedAt: Number.POSITIVE_INFINITY });
    } else {
      const begun = operations.get(line.return);
      if (begun === undefined) throw new Error(`${process} ended what it never began: ${line.return}`);
      const { outcome, output, at } = line;
      // Nobody knows when an unknown one takes effect, if at all: it may still be on its way.
      const returnedAt = outcome === 'unknown' ? Number.POSITIVE_INFINITY : at;
      operations.set(line.return, { ...begun, outcome, output, returnedAt });
    }
  }
  return [...operations.values()];
}
