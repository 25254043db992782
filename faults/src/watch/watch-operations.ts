import type { OperationOf } from '../operation.js';

/** A change as a watcher was told of it: put or delete, key, value. */
export type SeenEvent = readonly [type: 'put' | 'delete', key: string, value: string];

export type WatchShapes = {
  /** It watches a prefix from a revision on. */
  begin: {
    input: {
      readonly watch: string;
      readonly prefix: string;
      readonly from: number;
      readonly resync: Resync;
    };
    output: object;
  };
  /** It was told of a revision. */
  batch: {
    input: { readonly watch: string; readonly revision: number; readonly resync: boolean };
    output: { readonly events: readonly SeenEvent[] };
  };
  /** It has read the last event, or failed. */
  over: { input: { readonly watch: string }; output: { readonly error?: string } };
  /** The writer's. */
  write: { input: object; output: { readonly revision: number } };
};

export type Resync = 'difference' | 'snapshot' | 'error';

export type WatchOperation = OperationOf<WatchShapes>;

/** The key of the last event under each prefix. */
export const LAST = 'last';
