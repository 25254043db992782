import { printable } from './printable.js';

/** Whether a failed call may have changed anything in etcd. */
export type Outcome = 'not-applied' | 'unknown';

/** What an error may carry beside its message and code. */
export interface CoordErrorOptions {
  readonly cause?: unknown;
  /** @default 'not-applied' */
  readonly outcome?: Outcome | undefined;
}

const BRAND: unique symbol = Symbol.for('@coord/error');

/**
 * The base of every error that Coord throws.
 *
 * `outcome` answers the question that matters after a failed write: `not-applied` means that etcd
 * certainly did not apply it, `unknown` that the answer was lost on the way.
 */
export class CoordError extends Error {
  /** A stable identifier such as `COORD_TIMEOUT`. */
  readonly code: string;
  readonly outcome: Outcome;
  readonly [BRAND] = true;

  constructor(code: string, message: string, options: CoordErrorOptions = {}) {
    super(printable(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CoordError';
    this.code = code;
    this.outcome = options.outcome ?? 'not-applied';
  }

  /** For loggers that write JSON: with its message, and numbers of 64 bits as text. */
  toJSON(): Record<string, unknown> {
    const fields = Object.entries(this).map(([name, value]) => [
      name,
      typeof value === 'bigint' ? value.toString() : value,
    ]);
    return { name: this.name, message: this.message, ...Object.fromEntries(fields) };
  }

  /** True for every Coord error, also one made by another installed copy of the library. */
  static is(error: unknown): error is CoordError {
    return hasBrand(error, BRAND);
  }
}

/** Whether an object has a mark of this library; a proxy that will not say so has none. */
export function hasBrand<B extends symbol>(
  value: unknown,
  brand: B,
): value is { readonly [K in B]: unknown } {
  try {
    return typeof value === 'object' && value !== null && brand in value;
  } catch {
    return false;
  }
}

/** What an endpoint answered, or why it did not. */
export interface EndpointFailure {
  readonly endpoint: string;
  readonly reason: string;
}

/** etcd could not be reached, or the connection broke before the answer came. */
export class ConnectionError extends CoordError {
  override readonly name = 'ConnectionError';
  /** Every endpoint that was tried, with the reason why it failed. */
  readonly endpoints: readonly EndpointFailure[];

  constructor(message: string, options: CoordErrorOptions & { endpoints?: readonly EndpointFailure[] } = {}) {
    super('COORD_CONNECTION', message, options);
    this.endpoints = options.endpoints ?? [];
  }
}

/** The call did not finish in its time. */
export class TimeoutError extends CoordError {
  override readonly name: string = 'TimeoutError';
  readonly timeoutMs: number;

  constructor(message: string, options: CoordErrorOptions & { timeoutMs: number; code?: string }) {
    super(options.code ?? 'COORD_TIMEOUT', message, options);
    this.timeoutMs = options.timeoutMs;
  }
}

/** One thing that is wrong with an input. */
export interface ValidationIssue {
  /** Where: `ttlMs`, `endpoints[1]`, `key`. */
  readonly path: string;
  readonly message: string;
}

/** The input is not acceptable; nothing was sent. */
export class ValidationError extends CoordError {
  override readonly name = 'ValidationError';
  readonly issues: readonly ValidationIssue[];

  constructor(issues: readonly ValidationIssue[], options: CoordErrorOptions = {}) {
    super('COORD_VALIDATION', issues.map((issue) => `${issue.path}: ${issue.message}`).join('; '), options);
    this.issues = issues;
  }
}

/** The state in etcd is not the one that the call required. */
export class ConflictError extends CoordError {
  override readonly name: string = 'ConflictError';
  readonly key: string;

  constructor(message: string, options: CoordErrorOptions & { key: string; code?: string }) {
    super(options.code ?? 'COORD_CONFLICT', message, options);
    this.key = options.key;
  }
}

/** The key, lease or instance does not exist. */
export class NotFoundError extends CoordError {
  override readonly name = 'NotFoundError';
  readonly key: string;

  constructor(message: string, options: CoordErrorOptions & { key: string }) {
    super('COORD_NOT_FOUND', message, options);
    this.key = options.key;
  }
}

/** etcd did not accept who we say we are: wrong user or password, or authentication is required. */
export class AuthError extends CoordError {
  override readonly name = 'AuthError';

  constructor(message: string, options: CoordErrorOptions = {}) {
    super('COORD_AUTH', message, options);
  }
}

/** The user has no permission for this key range. */
export class PermissionError extends CoordError {
  override readonly name = 'PermissionError';

  constructor(message: string, options: CoordErrorOptions = {}) {
    super('COORD_PERMISSION', message, options);
  }
}

/** The requested revision has been compacted away. */
export class CompactedError extends CoordError {
  override readonly name = 'CompactedError';
  /** The oldest revision that etcd still has, and from which a watch may start; 0 when the server did not say. */
  readonly compactRevision: bigint;

  constructor(message: string, options: CoordErrorOptions & { compactRevision: bigint }) {
    super('COORD_COMPACTED', message, options);
    this.compactRevision = options.compactRevision;
  }
}

/** The lease behind a session is gone, or can no longer be trusted. */
export class SessionLostError extends CoordError {
  override readonly name = 'SessionLostError';
  readonly leaseId: bigint;

  constructor(message: string, options: CoordErrorOptions & { leaseId: bigint }) {
    super('COORD_SESSION_LOST', message, options);
    this.leaseId = options.leaseId;
  }
}

/** The client, watch, session or other object has been closed. */
export class ClosedError extends CoordError {
  override readonly name = 'ClosedError';

  constructor(message: string, options: CoordErrorOptions = {}) {
    super('COORD_CLOSED', message, options);
  }
}

/** The caller's `AbortSignal` fired; `cause` is the signal's reason. */
export class AbortedError extends CoordError {
  override readonly name = 'AbortedError';

  constructor(message: string, options: CoordErrorOptions = {}) {
    super('COORD_ABORTED', message, options);
  }
}

/** etcd refused for want of room or rate: database quota, request size, too many requests. */
export class ResourceExhaustedError extends CoordError {
  override readonly name = 'ResourceExhaustedError';

  constructor(message: string, options: CoordErrorOptions = {}) {
    super('COORD_RESOURCE_EXHAUSTED', message, options);
  }
}
