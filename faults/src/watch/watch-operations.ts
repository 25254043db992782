import type { OperationOf } from '../operation.js';

/** What a watch has told of one revision. Events stand here by a digest: see `digest.ts`. */
export interface ToldBatch {
  readonly revision: number;
  /** How many. */
  readonly events: number;
  readonly digest: string;
  /** Its place in the history was compacted, and it tells of a state instead. */
  readonly resync?: true;
  /** What was there before the events, of those that were told with it. */
  readonly previous?: { readonly events: number; readonly digest: string };
}

/** Its caller has closed the watch, and opened another one from here on. */
export interface Reopened {
  readonly reopenedAt: number;
}

export type Told = ToldBatch | Reopened;

/** What a live copy has shown at one moment. */
export interface CopySample {
  /** `entries`: what it holds. `changes`: what follows from the changes that it has told of. `idle`: a step without a change. */
  readonly of: 'entries' | 'changes' | 'idle';
  readonly revision: number;
  readonly keys: number;
  /** Of its keys, values and revisions: see `digest.ts`. */
  readonly sum: number;
  /** The changes are a difference, not a revision. */
  readonly resync?: true;
}

export type WatchShapes = {
  /** It watches a prefix from a revision on; 0: from now on. */
  begin: {
    input: {
      readonly watch: string;
      readonly prefix: string;
      readonly from: number;
      readonly resync: Resync;
      readonly ignore?: Ignored;
      readonly previous?: true;
      /** Its reader takes its time. */
      readonly slow?: true;
    };
    output: object;
  };
  /** Everything from this revision on has to be told by a watch that began "from now on". */
  attached: { input: { readonly watch: string; readonly revision: number }; output: object };
  /** Since the last time. */
  told: { input: { readonly watch: string }; output: { readonly told: readonly Told[] } };
  /** It has come to the end of the run, was closed early, or failed. */
  over: {
    input: { readonly watch: string };
    output: { readonly early?: true; readonly error?: string; readonly compactRevision?: number };
  };
  /** So much came at once. */
  'caught up': { input: { readonly watch: string }; output: { readonly bytes: number } };
  /** What etcd has listed under a prefix. */
  listed: {
    input: { readonly prefix: string };
    output: { readonly revision: number; readonly keys: number; readonly sum: number };
  };
  /** A live copy of a prefix begins. */
  copy: { input: { readonly copy: string; readonly prefix: string }; output: object };
  /** A live copy, since the last time. */
  copied: {
    input: { readonly copy: string };
    output: { readonly samples: readonly CopySample[] };
  };
  /** A live copy has come to the end of the run. */
  'copied all': { input: { readonly copy: string }; output: object };
  /** A client of this process begins to watch: it opens one stream for all its watches. */
  client: { input: object; output: object };
  /** etcd has answered on a stream of watches. */
  stream: { input: object; output: object };
  /** The writer's. */
  write: { input: object; output: { readonly revision: number } };
};

export type Resync = 'difference' | 'snapshot' | 'error';
export type Ignored = 'put' | 'delete';

export type WatchOperation = OperationOf<WatchShapes>;
