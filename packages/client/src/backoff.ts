import { AbortedError } from './errors.js';

export interface Backoff {
  readonly initialDelayMs: number;
  readonly maxDelayMs: number;
  readonly multiplier: number;
}

/**
 * How long to wait before attempt `attempt + 1`: exponential, with the upper half random, so that
 * clients that failed together do not come back together.
 * @param attempt failed attempts so far, from 1
 */
export function backoffDelayMs(
  attempt: number,
  backoff: Backoff,
  random: () => number = Math.random,
): number {
  const ceiling = Math.min(backoff.maxDelayMs, backoff.initialDelayMs * backoff.multiplier ** (attempt - 1));
  return ceiling * (0.5 + random() / 2);
}

/** Waits; rejects with an `AbortedError` as soon as the signal fires. */
export function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(aborted(signal));
    const onAbort = () => {
      clearTimeout(timer);
      if (signal) reject(aborted(signal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function aborted(signal: AbortSignal): AbortedError {
  return new AbortedError('aborted while waiting', { cause: signal.reason });
}
