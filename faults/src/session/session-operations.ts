import type { OperationOf } from '../operation.js';

/** Unique in the run. */
export interface OfSession {
  readonly session: string;
}

export type SessionShapes = {
  /** A lease, and a key on it. */
  open: { input: OfSession; output: object };
  /** What the session says of itself. */
  ask: { input: OfSession; output: { readonly alive: boolean; readonly leftMs: number } };
  /** A keepalive that was waited for. */
  renew: { input: OfSession; output: object };
  /** It was told by the session's signal that it is lost. */
  lost: { input: OfSession; output: object };
  /** It is given back, or left to run out. From here on it is not judged. */
  close: { input: OfSession & { readonly kind: 'close' | 'orphan' }; output: object };
  /** Somebody else ends the lease, whose keeper knows nothing of it. */
  revoke: { input: OfSession; output: object };
  /** The process stood still, whatever made it so, and went on now. */
  stall: { input: object; output: { readonly ms: number } };
};

export type SessionOperation = OperationOf<SessionShapes>;
