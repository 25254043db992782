import { AbortedError, TimeoutError } from '@coord/client';

/** The removal goes on in the background: whether etcd has applied it is not known. */
export function stillReleasing(ended: unknown): unknown {
  const options = { outcome: 'unknown', cause: ended } as const;
  if (ended instanceof TimeoutError) {
    return new TimeoutError(`${ended.message}; etcd has not confirmed it, it goes on in the background`, {
      ...options,
      timeoutMs: ended.timeoutMs,
    });
  }
  return ended instanceof AbortedError
    ? new AbortedError(ended.message, { ...options, cause: ended.cause })
    : ended;
}
