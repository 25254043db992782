import {
  CompactedError,
  ConflictError,
  ConnectionError,
  CoordError,
  NotFoundError,
  PermissionError,
  ResourceExhaustedError,
  TimeoutError,
  ValidationError,
} from '../errors.js';

/** What a failed batch tells of its members. */
export type Verdict =
  /** One of them, or their number or size, was refused, and so nothing was applied: ask for each. */
  | 'refused'
  /** etcd is out of space, and may have applied the batch all the same. */
  | 'no-space'
  /** It failed for all of them. */
  | 'failed';

export function verdictOf(error: unknown): Verdict {
  if (error instanceof ResourceExhaustedError) {
    if (error.message.includes('database space exceeded')) return 'no-space';
    return isTooLarge(error) ? 'refused' : 'failed';
  }
  const aboutMember =
    error instanceof ValidationError ||
    error instanceof PermissionError ||
    error instanceof NotFoundError ||
    error instanceof CompactedError ||
    error instanceof ConflictError ||
    (error instanceof CoordError && error.code === 'COORD_SERVER' && error.outcome === 'not-applied');
  return aboutMember ? 'refused' : 'failed';
}

/** The server's `--max-txn-ops` is lower than the batch. */
export function isTooManyOps(error: unknown): boolean {
  return error instanceof ValidationError && error.message.includes('too many operations');
}

/** The server's `--max-request-bytes`, or its gRPC server's own limit, is lower than the batch. */
export function isTooLarge(error: unknown): boolean {
  return (
    error instanceof ResourceExhaustedError &&
    (error.message.includes('request is too large') || error.message.includes('larger than max'))
  );
}

/** A batch's error as that of one of its members. */
export function memberError(error: unknown, method: string, timeoutMs: number): unknown {
  if (!CoordError.is(error)) return error;
  const message = error.message.replace(/^txn\b/, method);
  const options = { cause: error.cause, outcome: error.outcome };
  if (error instanceof TimeoutError) return new TimeoutError(message, { ...options, timeoutMs });
  if (error instanceof ConnectionError) {
    return new ConnectionError(message, { ...options, endpoints: error.endpoints });
  }
  return error;
}
