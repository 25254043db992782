/** `ok`: acknowledged. `failed`: certainly not applied. `unknown`: nobody can say. */
export type Outcome = 'ok' | 'failed' | 'unknown';

/** What a process did: what it asked for, and what came of it. Revisions are numbers: a run stays far below 2^53. */
export interface Operation<Name extends string = string, Input = unknown, Output = unknown> {
  /** Does one operation after another; one that was killed is followed by one of another name. */
  readonly process: string;
  readonly name: Name;
  readonly input: Input;
  /** Only if it is `ok`. */
  readonly output?: Output;
  readonly outcome: Outcome;
  /** Microseconds of CLOCK_MONOTONIC. */
  readonly invokedAt: number;
  /** Infinity if it never returned. */
  readonly returnedAt: number;
}

/** The operations of a workload by name: what goes in, and what comes out. */
export type Shapes = Record<string, { readonly input: object; readonly output: object }>;

/** Any operation of a workload. */
export type OperationOf<S extends Shapes> = {
  [Name in keyof S & string]: Operation<Name, S[Name]['input'], S[Name]['output']>;
}[keyof S & string];
