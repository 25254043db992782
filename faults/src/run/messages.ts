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

/** What a worker tells the run. */
export type Report =
  | { readonly type: 'at'; readonly point: string }
  | { readonly type: 'returned'; readonly name: string; readonly outcome: Outcome }
  | { readonly type: 'ended' };

/** What the run tells a worker. */
export type Command = 'go on' | 'stop';
