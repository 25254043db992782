import {
  AuthError,
  ClosedError,
  CompactedError,
  type CoordError,
  PermissionError,
  ValidationError,
} from './errors.js';

/**
 * What etcd means by ending a watch; undefined = something that trying again may mend.
 * @param next where the watch stood
 */
export function cancelError(next: bigint, compactRevision: bigint, reason: string): CoordError | undefined {
  if (compactRevision > 0n) {
    const message = `watch: revision ${next} has been compacted, the oldest is ${compactRevision}`;
    return new CompactedError(message, { compactRevision });
  }
  if (reason.includes('permission denied')) return new PermissionError(`watch: ${reason}`);
  if (['invalid auth token', 'user name is empty', 'auth store is old'].some((it) => reason.includes(it))) {
    return new AuthError(`watch: ${reason}`);
  }
  if (reason.includes('invalid') || reason.includes('not valid')) {
    return new ValidationError([{ path: 'watch', message: reason }]);
  }
  return undefined;
}

/** Whether trying again cannot help. */
export function isFinal(error: unknown): boolean {
  return (
    error instanceof AuthError ||
    error instanceof PermissionError ||
    error instanceof ValidationError ||
    error instanceof ClosedError
  );
}
