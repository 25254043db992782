import { setMaxListeners } from 'node:events';

/**
 * A service's one shutdown signal may end any number of calls at once; Node takes the eleventh
 * listener for a leak and warns.
 */
export function manyMayListen(signal: AbortSignal | undefined): void {
  if (signal !== undefined) setMaxListeners(0, signal);
}
