import { ConnectionError, TimeoutError } from '@coord/client';
import { type Backoff, backoffDelayMs, Cancellation, delay } from '@coord/client/internal';

/** Whether etcd could not be reached or did not answer: worth another attempt. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof ConnectionError || error instanceof TimeoutError;
}

export interface PersistOptions {
  /** Ends the attempts with its reason. */
  readonly signal?: AbortSignal | Cancellation | undefined;
  readonly backoff: Backoff;
  /** Called with each failure before the next attempt. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
  /** @default isUnreachable */
  readonly isWorthRepeating?: ((error: unknown) => boolean) | undefined;
}

/** Repeats an operation with backoff for as long as etcd is out of reach and the signal allows. */
export function persist<T>(operation: () => Promise<T>, options: PersistOptions): Promise<T> {
  const { signal } = options;
  if (signal?.aborted) return Promise.reject(signal.reason);
  // Nearly always the first attempt succeeds, and should cost no more than the operation.
  return operation().catch((error: unknown) => persistAfter(error, operation, options));
}

/** The same, when the first attempt has failed already. */
export async function persistAfter<T>(
  failure: unknown,
  operation: () => Promise<T>,
  { signal, backoff, onFailure, isWorthRepeating = isUnreachable }: PersistOptions,
): Promise<T> {
  let error = failure;
  for (let failures = 1; ; failures++) {
    if (signal?.aborted) throw signal.reason;
    if (!isWorthRepeating(error)) throw error;
    onFailure?.(error);
    const ended = signal instanceof Cancellation ? signal.signal : signal;
    await delay(backoffDelayMs(failures, backoff), ended).catch(() => undefined);
    if (signal?.aborted) throw signal.reason;
    try {
      return await operation();
    } catch (again) {
      error = again;
    }
  }
}
