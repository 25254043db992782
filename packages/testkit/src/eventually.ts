import { setTimeout as sleep } from 'node:timers/promises';
import { abortedError, TestkitError, throwIfAborted } from './errors.js';

/** How long and how often to try. */
export interface EventuallyOptions {
  /** How long to go on trying, in milliseconds. @default 5_000 */
  readonly timeoutMs?: number | undefined;
  /** The pause between two tries, in milliseconds. @default 20 */
  readonly intervalMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Calls `fn` until it neither throws nor returns `false`, and resolves to its value. Use it instead of a sleep.
 *
 * @throws the last error of `fn` when the time is over.
 * @throws {TestkitError} `COORD_TESTKIT_TIMEOUT` when `fn` returned `false` to the last, or is still running;
 *   `COORD_TESTKIT_ABORTED` when `signal` aborts.
 * @example
 * ```ts
 * import { eventually } from '@coord/testkit';
 *
 * const startedAt = Date.now();
 * await eventually(() => Date.now() - startedAt > 50, { timeoutMs: 1_000 });
 * ```
 */
export async function eventually<T>(
  fn: () => T | Promise<T>,
  options: EventuallyOptions = {},
): Promise<Exclude<T, false>> {
  const { timeoutMs = 5_000, intervalMs = 20, signal } = options;
  throwIfAborted(signal);
  const deadline = performance.now() + timeoutMs;
  const remaining = () => Math.max(0, deadline - performance.now());
  let failure: unknown;
  for (;;) {
    const outcome = await attempt(fn, remaining(), signal);
    if (outcome.type === 'value' && isDone(outcome.value)) return outcome.value;
    if (outcome.type === 'error') failure = outcome.error;
    else if (outcome.type === 'value' || failure === undefined)
      failure = timeoutError(timeoutMs, outcome.type);
    if (remaining() === 0) throw failure;
    await pause(Math.min(intervalMs, remaining()), signal);
  }
}

function isDone<T>(value: T): value is Exclude<T, false> {
  return value !== false;
}

type Attempt<T> = { type: 'value'; value: T } | { type: 'error'; error: unknown } | { type: 'unfinished' };

async function attempt<T>(
  fn: () => T | Promise<T>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Attempt<T>> {
  const stopWaiting = new AbortController();
  const run = async (): Promise<Attempt<T>> => {
    try {
      return { type: 'value', value: await fn() };
    } catch (error) {
      return { type: 'error', error };
    }
  };
  const limit = async (): Promise<Attempt<T>> => {
    await pause(timeoutMs, signal ? AbortSignal.any([signal, stopWaiting.signal]) : stopWaiting.signal);
    return { type: 'unfinished' };
  };
  const limited = limit();
  limited.catch(() => undefined); // lost the race: nobody waits for it any more
  try {
    return await Promise.race([run(), limited]);
  } finally {
    stopWaiting.abort();
  }
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal ? { signal } : {});
  } catch (error) {
    throw signal?.aborted ? abortedError(signal) : error;
  }
}

function timeoutError(timeoutMs: number, type: 'value' | 'unfinished'): TestkitError {
  const problem = type === 'value' ? 'the condition was still false' : 'the check had not finished';
  return new TestkitError(
    'COORD_TESTKIT_TIMEOUT',
    `${problem} after ${timeoutMs} ms`,
    'raise timeoutMs, or look at why',
  );
}
