import type { OperationOf } from '../operation.js';

/** Operations on single keys; a value that was put is unique. */
export type RegisterShapes = {
  get: { input: { readonly key: string }; output: { readonly value: string | null } };
  put: { input: { readonly key: string; readonly value: string }; output: object };
  /** Writes `value` where `expected` stands. */
  cas: {
    input: { readonly key: string; readonly expected: string; readonly value: string };
    output: { readonly swapped: boolean };
  };
};

export type RegisterOperation = OperationOf<RegisterShapes>;
