import { Cancellation } from './cancellation.js';
import { monotonicNow } from './clock.js';
import { AbortedError, CoordError, TimeoutError } from './errors.js';
import type { WaitOptions } from './kv.js';
import { manyMayListen } from './many-may-listen.js';
import { assertValid, checkWaitOptions } from './validation.js';

/**
 * One wait of a caller over several steps: his signal and his timeout in one place. The names of his options are checked before.
 *
 * Pass `signal` to each step. Dispose it when the wait is over, so that no listener or timer stays.
 */
export class Wait implements Disposable {
  /** Ends the wait before its time, with whatever reason. */
  readonly cancellation = new Cancellation();
  readonly #caller: AbortSignal | undefined;
  readonly #what: string;
  readonly #expiresAt: number;
  readonly #timer: NodeJS.Timeout | undefined;

  /**
   * @param what what is being waited for, for the error message: `lock "jobs/a"`
   * @throws {ValidationError} for a bad timeout
   * @throws {AbortedError} when the signal has already fired
   */
  constructor(options: WaitOptions | undefined, what: string, toError?: (timeoutMs: number) => CoordError) {
    assertValid(checkWaitOptions([], options, false));
    this.#what = what;
    this.#caller = options?.signal;
    if (this.#caller?.aborted) throw this.#abortedError();
    manyMayListen(this.#caller);
    this.#caller?.addEventListener('abort', this, { once: true });
    const timeoutMs = options?.timeoutMs;
    this.#expiresAt = timeoutMs === undefined ? Number.POSITIVE_INFINITY : monotonicNow() + timeoutMs;
    if (timeoutMs !== undefined) {
      const makeError =
        toError ?? ((ms: number) => new TimeoutError(`${what}: not done within ${ms} ms`, { timeoutMs: ms }));
      this.#timer = setTimeout(() => this.#abort(makeError(timeoutMs)), timeoutMs);
    }
  }

  /** Aborts with the `AbortedError` or `TimeoutError` that the wait ends with. */
  get signal(): AbortSignal {
    return this.cancellation.signal;
  }

  /** The same, where a timeout or the caller's signal can ever end the wait: making one takes longer than many a step. */
  get signalIfAny(): AbortSignal | undefined {
    return this.#caller === undefined && this.#timer === undefined ? undefined : this.signal;
  }

  /** Milliseconds left; `Infinity` without a timeout. */
  get remainingMs(): number {
    return Math.max(0, this.#expiresAt - monotonicNow());
  }

  /** @throws the error that ended the wait, if it has ended */
  check(): void {
    this.cancellation.throwIfAborted();
  }

  /** The promise's result, or the error that ends the wait, whichever comes first. */
  race<T>(promise: Promise<T>): Promise<T> {
    return this.cancellation.race(promise);
  }

  /** The error to report for a failed step: the one that ended the wait, if that is the cause. */
  errorFor(error: unknown): unknown {
    const { aborted, reason: ended } = this.cancellation;
    if (!aborted) return error;
    if (!CoordError.is(error) || !CoordError.is(ended) || error.outcome === ended.outcome) return ended;
    // The step was already on its way: whether etcd applied it is the step's to say.
    return ended instanceof TimeoutError
      ? new TimeoutError(ended.message, { timeoutMs: ended.timeoutMs, outcome: error.outcome, cause: error })
      : new AbortedError(ended.message, { outcome: error.outcome, cause: ended.cause });
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener('abort', this);
  }

  /** The caller aborts. */
  handleEvent(): void {
    this.#abort(this.#abortedError());
  }

  #abort(error: CoordError): void {
    this[Symbol.dispose]();
    this.cancellation.abort(error);
  }

  #abortedError(): AbortedError {
    return new AbortedError(`${this.#what}: aborted by the caller`, { cause: this.#caller?.reason });
  }
}

/** Like `Promise.race` with the signal's reason, without leaving a listener behind. */
export function raceAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) {
      promise.catch(() => undefined); // its failure no longer has a reader
      return reject(signal.reason);
    }
    signal.addEventListener('abort', onAbort, { once: true });
    promise
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', onAbort))
      .catch(() => undefined);
  });
}
