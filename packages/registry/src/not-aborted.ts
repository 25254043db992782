import { AbortedError, type WaitOptions } from '@coord/client';

/** @throws {AbortedError} when the caller's signal has fired before anything was begun */
export function assertNotAborted(what: string, { signal }: WaitOptions): void {
  if (signal?.aborted) throw new AbortedError(`${what}: aborted by the caller`, { cause: signal.reason });
}
