import type { OperationOf } from '../operation.js';
import type { StallShapes } from './stalls.js';

/** An instance as somebody was shown it, such as `0-1 p0-17 healthy 2026-01-01T00:00:00.000Z`. */
export type ShownInstance = string;

/** What providers and seekers of a service do. A registration has a name of its own, which is in its metadata. */
export type RegistryShapes = StallShapes & {
  register: { input: { readonly registration: string; readonly id: string }; output: object };
  update: { input: { readonly registration: string; readonly health: string }; output: object };
  /** Its owner takes it out. */
  leave: { input: { readonly registration: string; readonly how: 'deregister' | 'drain' }; output: object };
  /** Somebody else takes out whoever has the id. */
  remove: { input: { readonly id: string }; output: object };
  /** Somebody ends the lease of whoever has the id. */
  revoke: { input: { readonly id: string }; output: object };
  /** A linearizable discover. */
  read: { input: object; output: { readonly instances: readonly ShownInstance[] } };
  /** A list that was shown. It is no newer than the revision. */
  list: {
    input: { readonly view: string };
    output: {
      readonly instances: readonly ShownInstance[];
      readonly revision: number;
      readonly source: string;
    };
  };
  /** What a stream of changes has told: the instance as it is now, or nothing. */
  change: {
    input: { readonly view: string; readonly id: string };
    output: { readonly now?: ShownInstance; readonly previous?: ShownInstance };
  };
  /** The view has come to its end, by itself if there is an error; it has to show the service at this revision or later. */
  over: {
    input: { readonly view: string; readonly revision: number };
    output: { readonly instances?: readonly ShownInstance[]; readonly error?: string };
  };
};

export type RegistryOperation = OperationOf<RegistryShapes>;
