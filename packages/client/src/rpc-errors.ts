import {
  AuthError,
  CompactedError,
  ConflictError,
  ConnectionError,
  CoordError,
  NotFoundError,
  type Outcome,
  PermissionError,
  ResourceExhaustedError,
  TimeoutError,
  ValidationError,
} from './errors.js';

/** gRPC status codes, by number as they arrive. https://grpc.io/docs/guides/status-codes */
const Status = {
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

/** What to do about a failed attempt. */
export type Remedy =
  /** The answer is final. */
  | 'none'
  /** It never reached etcd: any call may be tried again. */
  | 'retry'
  /** It may have been applied: only reads and idempotent calls may be tried again. */
  | 'retry-if-repeatable'
  /** The token is not valid (any more): log in again and repeat; nothing was applied. */
  | 'reauthenticate';

export interface RpcFailure {
  readonly error: CoordError;
  readonly remedy: Remedy;
  /** The endpoint is to blame: choose another one. */
  readonly endpointFault: boolean;
}

/** What was being done, for the message and the verdict. */
export interface RpcContext {
  readonly method: string;
  readonly endpoint: string;
  readonly timeoutMs: number;
  /** Whether a lost response leaves open what happened. */
  readonly writes: boolean;
}

interface GrpcError {
  readonly code: number;
  readonly details: string;
}

function isGrpcError(error: unknown): error is GrpcError {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'number' &&
    'details' in error &&
    typeof error.details === 'string'
  );
}

/** grpc-js says with these words that a call never left the process. */
function neverSent(details: string): boolean {
  return (
    details.startsWith('No connection established') ||
    details.startsWith('Name resolution failed') ||
    details.includes('waiting for name resolution') ||
    (details.includes('Waiting for LB pick') && !details.includes('previous attempts'))
  );
}

/**
 * Translates what grpc-js reports into a Coord error and a verdict, by status code and etcd's exact
 * words (one code covers several errors): https://github.com/etcd-io/etcd/blob/v3.5.16/api/v3rpc/rpctypes/error.go
 */
export function translateRpcError(cause: unknown, context: RpcContext): RpcFailure {
  if (!isGrpcError(cause)) {
    const error = CoordError.is(cause)
      ? cause
      : new CoordError('COORD_INTERNAL', `${context.method} failed: ${String(cause)}`, { cause });
    return { error, remedy: 'none', endpointFault: false };
  }
  const details = cause.details.replace(/^etcdserver: /, '');
  const where = `${context.method} on ${context.endpoint}`;
  const lost: Outcome = context.writes ? 'unknown' : 'not-applied';

  switch (cause.code) {
    case Status.UNAUTHENTICATED:
      return final(new AuthError(`${where}: ${details}`, { cause }), 'reauthenticate');
    case Status.PERMISSION_DENIED:
      return final(
        new PermissionError(`${where}: ${details}; grant the user a role for this range`, { cause }),
      );
    case Status.NOT_FOUND:
      return final(new NotFoundError(`${where}: ${details}`, { cause, key: details }));
    case Status.OUT_OF_RANGE:
      if (!details.includes('compacted')) break;
      return final(new CompactedError(`${where}: ${details}`, { cause, compactRevision: 0n }));
    case Status.INVALID_ARGUMENT:
      if (details.startsWith('authentication failed') || details.startsWith('user name is empty')) {
        return final(new AuthError(`${where}: ${details}; check username and password`, { cause }));
      }
      return final(new ValidationError([{ path: context.method, message: details }], { cause }));
    case Status.FAILED_PRECONDITION:
      if (!details.startsWith('lease already exists')) break;
      return final(new ConflictError(`${where}: ${details}`, { cause, key: details }));
    case Status.RESOURCE_EXHAUSTED:
      return exhausted(where, details, cause, context);
    case Status.DEADLINE_EXCEEDED:
      return {
        error: new TimeoutError(
          `${where}: no answer within ${Math.round(context.timeoutMs)} ms (${details})`,
          {
            cause,
            timeoutMs: context.timeoutMs,
            outcome: neverSent(details) ? 'not-applied' : lost,
          },
        ),
        remedy: neverSent(details) ? 'retry' : 'retry-if-repeatable',
        endpointFault: true,
      };
    case Status.UNIMPLEMENTED:
      return final(connectionError(`${where}: ${details}; is this an etcd 3 endpoint?`, 'not-applied'));
    case Status.UNAVAILABLE:
      if (neverSent(details) || details === 'no leader') {
        return {
          error: connectionError(`${where}: ${details}`, 'not-applied'),
          remedy: 'retry',
          endpointFault: true,
        };
      }
      break;
    case Status.UNKNOWN:
      // Answered by a member whose leadership is changing; the next attempt finds the new leader.
      break;
    case Status.CANCELLED:
    case Status.ABORTED:
    case Status.INTERNAL:
      break;
    default:
      return final(
        new CoordError('COORD_SERVER', `${where}: ${details} (gRPC ${cause.code})`, { cause, outcome: lost }),
      );
  }
  if (cause.code === Status.OUT_OF_RANGE || cause.code === Status.FAILED_PRECONDITION) {
    return final(new CoordError('COORD_SERVER', `${where}: ${details}`, { cause }));
  }
  return {
    error: connectionError(`${where}: ${details}`, lost),
    remedy: 'retry-if-repeatable',
    endpointFault: cause.code !== Status.UNKNOWN,
  };

  function connectionError(message: string, outcome: Outcome): ConnectionError {
    return new ConnectionError(message, {
      cause,
      outcome,
      endpoints: [{ endpoint: context.endpoint, reason: details }],
    });
  }
}

function final(error: CoordError, remedy: Remedy = 'none'): RpcFailure {
  return { error, remedy, endpointFault: false };
}

function exhausted(where: string, details: string, cause: unknown, context: RpcContext): RpcFailure {
  if (details.includes('too many requests')) {
    return {
      error: new ResourceExhaustedError(`${where}: ${details}`, { cause }),
      remedy: 'retry',
      endpointFault: false,
    };
  }
  // The alarm may be raised after the write was applied, so its outcome is open.
  const noSpace = details.includes('database space exceeded');
  const remedy = noSpace ? '; compact, defragment and disarm the alarm, or raise --quota-backend-bytes' : '';
  const outcome: Outcome = noSpace && context.writes ? 'unknown' : 'not-applied';
  return final(new ResourceExhaustedError(`${where}: ${details}${remedy}`, { cause, outcome }));
}
