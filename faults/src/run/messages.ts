import type { Outcome } from '../operation.js';

/** What a worker is told when it starts. */
export interface Assignment {
  readonly workload: string;
  readonly variant: string;
  /** Unique in the run. */
  readonly process: string;
  /** Counts the workers from 0; one that replaces another has the same. */
  readonly index: number;
  /** Unique in the cluster: part of every key and name that the run uses. */
  readonly run: string;
  readonly endpoints: readonly string[];
  readonly historyFile: string;
  readonly seed: number;
}

/** A moment in a worker, which waits there. */
export interface Moment {
  readonly point: string;
  /** Unique in the worker. */
  readonly id: number;
  /** Of those who have to go on before one that is frozen here is thawed, such as contenders for one lock. */
  readonly scope?: string;
  /** Which part of the worker, where it does several things at once. */
  readonly part?: string;
}

/** What a worker tells the run. */
export type Report =
  | ({ readonly type: 'at' } & Moment)
  | { readonly type: 'returned'; readonly name: string; readonly outcome: Outcome; readonly scope?: string }
  | { readonly type: 'ended' };

/** What the run tells a worker. */
export type Command = { readonly type: 'go on'; readonly id: number } | { readonly type: 'stop' };

/** The moment of a worker whose place in the history was compacted, when it has another. */
export const ELSEWHERE = 'in another place';
