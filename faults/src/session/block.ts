import { SESSION_TTL_MS } from './session-names.js';

/** Longer than a lease lives without keepalives. */
export const BLOCKED_MS = SESSION_TTL_MS * 2;

/** The whole process does nothing else meanwhile. */
export function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
