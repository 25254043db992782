import type { OperationOf } from '../operation.js';
import type { StallShapes } from '../registry/stalls.js';

/** What servers and their callers do. Addresses are `host:port`. */
export type ResolverShapes = StallShapes & {
  /** A server takes calls there, and registers. */
  serve: { input: { readonly address: string }; output: object };
  /** It drains, and takes calls until that is done; then it stops. */
  depart: { input: { readonly address: string }; output: object };
  /** What came of a call, whatever it was. */
  call: {
    input: { readonly connection: string };
    output: {
      /** As gRPC numbers them: 0 is fine. */
      readonly code: number;
      /** Where it went, if anywhere. */
      readonly address?: string;
      readonly details?: string;
    };
  };
  /** The addresses that a channel was given. They are no newer than the revision. */
  list: {
    input: { readonly view: string };
    output: {
      readonly instances: readonly string[];
      readonly revision: number;
      readonly source: string;
    };
  };
  /** The end of it: the channel has to have been given the service as it was at this revision, or later. */
  over: {
    input: { readonly view: string; readonly revision: number };
    output: { readonly instances: readonly string[] };
  };
};

export type ResolverOperation = OperationOf<ResolverShapes>;
export type CallOutput = ResolverShapes['call']['output'];
