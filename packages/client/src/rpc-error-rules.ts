import { connectionReason } from './connection-reason.js';
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

/** What was being done, for the message and the verdict. */
export interface RpcContext {
  readonly method: string;
  readonly endpoint: string;
  readonly timeoutMs: number;
  /** The call's outcome when etcd certainly did not apply this attempt: an earlier one may have been. */
  readonly refused: Outcome;
  /** The call's outcome when the answer is lost. */
  readonly lost: Outcome;
}

/** gRPC status codes, by number as they arrive. https://grpc.io/docs/guides/status-codes */
export const Status = {
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
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/** What a rule makes an error of. */
export interface Report {
  readonly message: string;
  readonly details: string;
  readonly context: RpcContext;
  readonly options: { readonly cause: unknown; readonly outcome: Outcome };
}

export interface Rule {
  readonly code: number;
  /** Whether these are the words; absent = whatever the rules before have left. */
  readonly says?: (details: string) => boolean;
  readonly error: (report: Report, hint?: string) => CoordError;
  /** What the user can do about it. */
  readonly hint?: string;
  /** @default 'none' */
  readonly remedy?: Remedy;
  /** A write may have been applied. @default false */
  readonly lost?: boolean;
  /** @default false */
  readonly endpointFault?: boolean;
  /** @default false */
  readonly silent?: boolean;
}

const auth: Rule['error'] = ({ message, options }) => new AuthError(message, options);
const exhausted: Rule['error'] = ({ message, options }) => new ResourceExhaustedError(message, options);
export const server: Rule['error'] = ({ message, options }) =>
  new CoordError('COORD_SERVER', message, options);
const validation: Rule['error'] = ({ details, context, options }) =>
  new ValidationError([{ path: context.method, message: details }], options);
const connection: Rule['error'] = ({ details, context, options }, hint) => {
  const { method, endpoint } = context;
  const reason = withHint(connectionReason(details, endpoint), hint);
  return new ConnectionError(`${method} on ${endpoint}: ${reason}`, {
    ...options,
    endpoints: [{ endpoint, reason }],
  });
};
const timeout: Rule['error'] = ({ details, context, options }, hint) => {
  const { method, endpoint, timeoutMs } = context;
  const message = `${method} on ${endpoint}: no answer within ${timeoutMs} ms (${details})`;
  return new TimeoutError(withHint(message, hint), { ...options, timeoutMs });
};
/** etcd has not begun with it. */
const unserved = { error: connection, remedy: 'retry' } as const;
/** Nobody knows how far etcd has come with it. */
const broken = { error: connection, remedy: 'retry-if-repeatable', lost: true } as const;

/**
 * The first rule that fits decides. Status code plus etcd's exact words, since one code covers several errors:
 * https://github.com/etcd-io/etcd/blob/v3.6.9/api/v3rpc/rpctypes/error.go and server/etcdserver/api/v3rpc/util.go:
 * what is not in their tables arrives as UNKNOWN with the words of the error in the server
 */
export const RULES: readonly Rule[] = [
  { code: Status.UNAUTHENTICATED, error: auth, remedy: 'reauthenticate' },
  {
    code: Status.INVALID_ARGUMENT,
    says: includes('user name is empty'),
    error: auth,
    hint: 'etcd requires a user: give username and password',
    remedy: 'reauthenticate', // authentication may have been turned on since the last login
  },
  {
    code: Status.INVALID_ARGUMENT,
    says: includes('revision of auth store is old'),
    error: auth,
    remedy: 'reauthenticate',
  },
  {
    code: Status.INVALID_ARGUMENT,
    says: includes('authentication failed'),
    error: auth,
    hint: 'check username and password',
  },
  {
    // A user who may only log in by certificate: etcd has no code for it.
    code: Status.UNKNOWN,
    says: includes('authentication failed'),
    error: auth,
    hint: 'this user has no password',
  },
  {
    code: Status.INVALID_ARGUMENT,
    says: includes('request is too large'),
    error: exhausted,
    hint: 'store less in one key or transaction, or raise --max-request-bytes',
  },
  { code: Status.INVALID_ARGUMENT, error: validation },
  {
    code: Status.PERMISSION_DENIED,
    error: ({ message, options }) => new PermissionError(message, options),
    hint: 'grant the user a role for this range',
  },
  {
    code: Status.NOT_FOUND,
    error: ({ message, details, options }) => new NotFoundError(message, { ...options, key: details }),
  },
  {
    code: Status.OUT_OF_RANGE,
    says: includes('compacted'),
    error: ({ message, options }) => new CompactedError(message, { ...options, compactRevision: 0n }),
  },
  { code: Status.OUT_OF_RANGE, says: includes('lease TTL'), error: validation },
  { code: Status.OUT_OF_RANGE, error: server },
  {
    code: Status.FAILED_PRECONDITION,
    says: includes('lease already exists'),
    error: ({ message, details, options }) => new ConflictError(message, { ...options, key: details }),
  },
  // etcd 3.6; earlier ones say it with UNAVAILABLE.
  { code: Status.FAILED_PRECONDITION, says: cannotServe, ...unserved, endpointFault: true },
  { code: Status.FAILED_PRECONDITION, says: is('not leader'), ...unserved },
  { code: Status.FAILED_PRECONDITION, error: server },
  {
    code: Status.RESOURCE_EXHAUSTED,
    says: includes('too many requests'),
    error: exhausted,
    remedy: 'retry',
  },
  {
    code: Status.RESOURCE_EXHAUSTED,
    says: includes('database space exceeded'),
    error: exhausted,
    hint: 'compact, defragment and disarm the alarm, or raise --quota-backend-bytes',
    lost: true, // the alarm may be raised after the write was applied
  },
  {
    code: Status.RESOURCE_EXHAUSTED,
    says: includes('message larger than max'),
    error: exhausted,
    hint: 'store less in one key or transaction, or raise --max-request-bytes',
  },
  { code: Status.RESOURCE_EXHAUSTED, error: exhausted },
  {
    code: Status.DEADLINE_EXCEEDED,
    says: includes('context deadline exceeded'), // the server's words: its line is not silent
    error: timeout,
    remedy: 'retry-if-repeatable',
    lost: true,
    endpointFault: true,
  },
  {
    code: Status.DEADLINE_EXCEEDED,
    says: neverSent,
    error: timeout,
    hint: 'no connection has come about: are host and port right, and does a firewall let it through?',
    remedy: 'retry',
    endpointFault: true,
    silent: true,
  },
  {
    code: Status.DEADLINE_EXCEEDED,
    error: timeout,
    remedy: 'retry-if-repeatable',
    lost: true,
    endpointFault: true,
    silent: true,
  },
  { code: Status.UNAVAILABLE, says: neverSent, ...unserved, endpointFault: true },
  { code: Status.UNAVAILABLE, says: cannotServe, ...unserved, endpointFault: true },
  { code: Status.UNAVAILABLE, says: is('unhealthy cluster'), ...unserved },
  // The next attempt finds the new leader, through any member.
  { code: Status.UNAVAILABLE, says: is('leader changed'), ...broken },
  { code: Status.UNAVAILABLE, ...broken, endpointFault: true },
  { code: Status.CANCELLED, ...broken, endpointFault: true },
  { code: Status.ABORTED, ...broken, endpointFault: true },
  { code: Status.INTERNAL, ...broken, endpointFault: true },
  {
    code: Status.DATA_LOSS,
    says: includes('corrupt cluster'),
    error: server,
    hint: 'the members disagree: see `etcdctl alarm list`, and replace the member that it names',
  },
  // etcd has no code of its own for these: the leadership is changing, and nothing was done.
  { code: Status.UNKNOWN, says: is('raft proposal dropped', 'not a primary lessor'), ...unserved },
  { code: Status.UNKNOWN, ...broken },
  { code: Status.UNIMPLEMENTED, error: connection, hint: 'is this an etcd 3 endpoint?' },
];

export function withHint(text: string, hint: string | undefined): string {
  return hint === undefined ? text : `${text}; ${hint}`;
}

function includes(words: string): (details: string) => boolean {
  return (details) => details.includes(words);
}

function is(...exactly: readonly string[]): (details: string) => boolean {
  return (details) => exactly.includes(details);
}

/** A member says with these words that it can do nothing at present; it has looked no further. */
function cannotServe(details: string): boolean {
  return ['no leader', 'not capable', 'rpc not supported for learner'].includes(details);
}

/** grpc-js says with these words that a call never left the process. */
function neverSent(details: string): boolean {
  return (
    details.startsWith('No connection established') ||
    details.startsWith('Name resolution failed') ||
    details.startsWith('Channel closed before call started') ||
    details.includes('waiting for name resolution') ||
    (details.includes('Waiting for LB pick') && !details.includes('previous attempts'))
  );
}
