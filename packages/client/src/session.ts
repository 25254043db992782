import type { WaitOptions } from './kv.js';

/** `lost`: etcd may have ended the lease. `closed`: by `close()`, also after a loss, or by `orphan()`. */
export type SessionState = 'alive' | 'lost' | 'closed';

export interface SessionOptions extends WaitOptions {
  /** Time to live in milliseconds, rounded up to whole seconds. @default 10_000 */
  readonly ttlMs?: number | undefined;
}

/**
 * A lease that is kept alive, and an honest clock over it.
 *
 * The session is lost as soon as the server *could* have given the lease away: at the send time of
 * the last acknowledged keepalive + TTL − margin (a tenth of the TTL, at most 1 s), whether or not
 * etcd has said so. Time is measured on the monotonic clock. That one stands still while the machine
 * or its virtual machine is suspended, so a forward jump of the wall clock counts as time that has
 * passed: setting the clock forward by more than the TTL loses the session too, since the two cannot
 * be told apart. Setting it back changes nothing.
 */
export interface Session extends AsyncDisposable {
  readonly leaseId: bigint;
  /** The TTL that the server granted, in milliseconds. */
  readonly ttlMs: number;
  /** Aborts with a `SessionLostError` when the session is lost, with a `ClosedError` when it is closed. */
  readonly signal: AbortSignal;
  /** Computed from the clock at each read, so it is right also after an event-loop stall. */
  readonly state: SessionState;
  /** Milliseconds for which the lease is certainly ours; 0 when lost. */
  readonly remainingMs: number;
  /** @throws {SessionLostError} when the session is lost or closed */
  assertAlive(): void;
  /** Sends a keepalive now and resolves when it is acknowledged. @throws {SessionLostError} */
  keepAlive(options?: WaitOptions): Promise<void>;
  /**
   * Stops the keepalives and revokes the lease: its keys go at once. Within `timeoutMs` (2,000); past it, or
   * without etcd, they go when the TTL has passed. Never throws for what is already gone.
   * @throws {AbortedError} when `signal` fires; the keepalives have stopped then, too
   */
  close(options?: WaitOptions): Promise<void>;
  /** Stops the keepalives and leaves the lease to expire by itself. */
  orphan(): void;
}
