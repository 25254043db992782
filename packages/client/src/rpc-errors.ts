import { ConnectionError, CoordError, TimeoutError } from './errors.js';
import {
  type Remedy,
  type Report,
  type RpcContext,
  RULES,
  Status,
  server,
  withHint,
} from './rpc-error-rules.js';

export type { Remedy, RpcContext } from './rpc-error-rules.js';

export interface RpcFailure {
  readonly error: CoordError;
  readonly remedy: Remedy;
  /** The endpoint is to blame: choose another one. */
  readonly endpointFault: boolean;
  /** There was no answer at all: its line may be dead. */
  readonly silent: boolean;
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

export function isPermissionDenied(error: unknown): boolean {
  return isGrpcError(error) && error.code === Status.PERMISSION_DENIED;
}

/** The member answers, but its cluster has no leader at this moment. */
export function isLeaderless(error: unknown): boolean {
  return isGrpcError(error) && LEADERLESS.has(wordsOf(error));
}

/** etcd does not take this user and password. */
export function isLoginRefused(error: unknown): boolean {
  return (
    isGrpcError(error) &&
    error.code !== Status.UNAUTHENTICATED &&
    error.details.includes('authentication failed')
  );
}

export function isAuthDisabled(error: unknown): boolean {
  return isGrpcError(error) && error.details.includes('authentication is not enabled');
}

/** What an endpoint is said to have failed of. */
export function reasonOf(error: CoordError): string {
  const own = error instanceof ConnectionError ? error.endpoints[0]?.reason : undefined;
  return own ?? error.message;
}

/** grpc-js appends this also where it has nothing to note. */
const EMPTY_NOTE = /\.? Resolution note: $/;

/** What went wrong, in etcd's or grpc-js's own words. */
function wordsOf(error: GrpcError): string {
  return error.details.replace(/^etcdserver: /, '').replace(EMPTY_NOTE, '');
}

/** What etcd says during an election. */
const LEADERLESS = new Set(['no leader', 'leader changed', 'raft proposal dropped']);

/** Translates what grpc-js reports into a Coord error and a verdict. */
export function translateRpcError(cause: unknown, context: RpcContext): RpcFailure {
  if (!isGrpcError(cause)) return ownFailure(cause, context);
  const details = wordsOf(cause);
  const rule = RULES.find(({ code, says }) => code === cause.code && (says === undefined || says(details)));
  const {
    error,
    hint,
    remedy = 'none',
    lost = rule === undefined,
    endpointFault = false,
    silent = false,
  } = rule ?? {};
  const report: Report = {
    message: `${context.method} on ${context.endpoint}: ${withHint(details, hint)}`,
    details,
    context,
    options: { cause, outcome: lost ? context.lost : context.refused },
  };
  return { error: (error ?? server)(report, hint), remedy, endpointFault, silent };
}

/** What did not come from gRPC. */
function ownFailure(cause: unknown, context: RpcContext): RpcFailure {
  if (cause instanceof TimeoutError) {
    // Connecting or logging in took too long: the call itself was never sent, and another endpoint may be faster.
    const { message, timeoutMs } = cause;
    const error = new TimeoutError(message, { cause, timeoutMs, outcome: context.refused });
    return { error, remedy: 'retry', endpointFault: true, silent: true };
  }
  const error = CoordError.is(cause)
    ? cause
    : new CoordError('COORD_INTERNAL', `${context.method} failed: ${String(cause)}`, {
        cause,
        outcome: context.lost,
      });
  return { error, remedy: 'none', endpointFault: false, silent: false };
}
