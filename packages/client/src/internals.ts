import type { CoordClient } from './client.js';
import { hasBrand, ValidationError } from './errors.js';
import type { WaitOptions } from './kv.js';
import type { CoordLogger } from './logger.js';
import type { ResolvedClientOptions } from './options.js';
import type { Session } from './session.js';
import type { Telemetry } from './telemetry/telemetry.js';

/** A reference to a session that several locks or registrations share. */
export interface SessionRef {
  readonly session: Session;
  /** Gives the reference back; the session is closed one TTL after the last one. Idempotent. */
  release(): void;
}

export interface BorrowOptions extends WaitOptions {
  /** An upper bound of the time between keepalives; sessions with another one are not shared. @default a third of the granted TTL */
  readonly renewIntervalMs?: number | undefined;
}

/** What the sibling packages may use of a client, beyond its public face. */
export interface ClientInternals {
  readonly options: ResolvedClientOptions;
  readonly logger: CoordLogger;
  readonly telemetry: Telemetry;
  /**
   * Borrows the shared session of this kind and TTL: made on first use, then a lock or a
   * registration costs neither a grant nor a revoke. A lost session is never lent again.
   * @param kind which users share it, such as `lock`
   * @param ttlMs rounded up to whole seconds
   * @param options their signal is only looked at when there is something to wait for
   */
  borrowSession(kind: string, ttlMs: number, options?: BorrowOptions): Promise<SessionRef>;
  /** The same at once, where that session is open already: undefined otherwise, also when the client is closed. */
  borrowOpenSession(kind: string, ttlMs: number, renewIntervalMs?: number): SessionRef | undefined;
}

export const INTERNALS: unique symbol = Symbol.for('@coord/client.internals');

/**
 * The internals of a client that `createClient` or `connect` made.
 * @throws {ValidationError} for anything else
 */
export function internalsOf(client: CoordClient): ClientInternals {
  if (hasBrand(client, INTERNALS)) return client[INTERNALS] as ClientInternals;
  throw new ValidationError([{ path: 'client', message: 'must be made by connect() or createClient()' }]);
}
