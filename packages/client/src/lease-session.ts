import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { AbortedError, ClosedError, ConflictError, type CoordError, SessionLostError } from './errors.js';
import type { WaitOptions } from './kv.js';
import { LeaseDeadline } from './lease-deadline.js';
import { type KeptLease, type LeaseKeeper, type Moment, now } from './lease-keeper.js';
import type { CoordLogger } from './logger.js';
import type { NamesOf } from './option-names.js';
import type { Session, SessionOptions, SessionState } from './session.js';
import type { ClientMetrics } from './telemetry/client-metrics.js';
import type { Transport } from './transport.js';
import {
  assertValid,
  checkPositiveMs,
  checkTtlMs,
  checkWaitFields,
  checkWaitOptions,
  type IssueList,
  readOptions,
  WAIT_NAMES,
} from './validation.js';
import { Wait } from './wait.js';

const DEFAULT_TTL_MS = 10_000;
const REVOKE_TIMEOUT_MS = 2_000;
/** Timers stand still while the machine is suspended: so often the clock is looked at. */
const CLOCK_CHECK_MS = 1_000;

export interface SessionContext {
  readonly transport: Transport;
  readonly keeper: LeaseKeeper;
  readonly logger: CoordLogger;
  readonly metrics?: ClientMetrics | undefined;
  /** Called once when the session is no longer in use: closed, orphaned or lost. */
  readonly onEnded: (session: LeaseSession) => void;
}

export interface OpenOptions extends SessionOptions {
  /** An upper bound of the time between keepalives. @default a third of the granted TTL */
  readonly renewIntervalMs?: number | undefined;
}

/** A lease in whole seconds, as etcd counts. */
export function wholeSeconds(ttlMs: number): number {
  return Math.ceil(ttlMs / 1_000);
}

/** The session: one lease, and the clock that says how long it is certainly ours. */
export class LeaseSession implements Session, KeptLease {
  readonly leaseId: bigint;
  readonly renewIntervalMs: number | undefined;
  readonly #context: SessionContext;
  readonly #controller = new AbortController();
  readonly #acknowledgements = new Set<(sentAt: Moment) => void>();
  readonly #deadline: LeaseDeadline;
  #state: SessionState = 'alive';
  #timer: NodeJS.Timeout | undefined;
  #revoking: Promise<void> | undefined;

  private constructor(
    leaseId: bigint,
    renewIntervalMs: number | undefined,
    ttlMs: number,
    sentAt: Moment,
    context: SessionContext,
  ) {
    this.leaseId = leaseId;
    this.renewIntervalMs = renewIntervalMs;
    this.#deadline = new LeaseDeadline(sentAt, ttlMs);
    this.#context = context;
    setMaxListeners(0, this.#controller.signal); // every lock and registration on the session listens
  }

  /**
   * Grants a lease and keeps it alive. The id is ours and random, so a repeated grant is harmless:
   * "already exists" means that an earlier attempt arrived.
   */
  static async open(given: OpenOptions, context: SessionContext): Promise<LeaseSession> {
    const { ttlMs = DEFAULT_TTL_MS, ...options } = readOpenOptions(given);
    const leaseId = randomLeaseId();
    const request = { ID: leaseId.toString(), TTL: wholeSeconds(ttlMs) };
    const sentAt = now();
    let grantedMs = request.TTL * 1_000;
    try {
      const { signal, timeoutMs } = options;
      const response = await context.transport.unary('leaseGrant', () => request, 'idempotent', {
        signal,
        timeoutMs,
      });
      grantedMs = Number(response.TTL) * 1_000;
    } catch (error) {
      if (!(error instanceof ConflictError)) {
        if (!isNotApplied(error)) revokeInBackground(leaseId, context);
        throw error;
      }
    }
    const session = new LeaseSession(leaseId, options.renewIntervalMs, grantedMs, sentAt, context);
    context.keeper.add(session);
    session.#arm();
    if (session.#state === 'lost') {
      revokeInBackground(leaseId, context);
      throw session.#lostError('etcd took longer than its TTL to grant it');
    }
    return session;
  }

  get ttlMs(): number {
    return this.#deadline.ttlMs;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get state(): SessionState {
    // Timers do not fire in a stalled event loop: look at the clock at each question.
    if (this.#state === 'alive' && this.#deadline.leftMs <= 0) {
      this.#lose('no keepalive was acknowledged in time');
    }
    return this.#state;
  }

  get alive(): boolean {
    return this.state === 'alive';
  }

  get remainingMs(): number {
    return this.state === 'alive' ? this.#deadline.leftMs : 0;
  }

  assertAlive(): void {
    if (this.state === 'alive') return;
    const reason: unknown = this.signal.reason;
    if (reason instanceof SessionLostError) throw reason;
    throw this.#lostError('it was closed');
  }

  async keepAlive(options: WaitOptions = {}): Promise<void> {
    assertValid(checkWaitOptions([], options));
    using wait = new Wait(options, `keepalive of lease ${this.#hexId}`);
    this.assertAlive();
    const askedAt = now();
    const { promise, stop } = this.#acknowledgedAfter(askedAt);
    try {
      this.#context.keeper.beat(this);
      await wait.race(promise);
    } finally {
      stop();
    }
  }

  async close(options: WaitOptions = {}): Promise<void> {
    assertValid(checkWaitOptions([], options));
    const { signal } = options;
    if (signal?.aborted) {
      throw new AbortedError(`close of session ${this.#hexId}: aborted by the caller`, {
        cause: signal.reason,
      });
    }
    if (this.state === 'alive') {
      this.#end('closed', new ClosedError(`session ${this.#hexId} was closed`));
      this.#revoking = revoke(this.leaseId, this.#context, options);
    } else if (this.#state === 'lost') this.#state = 'closed';
    await this.#revoking;
  }

  orphan(): void {
    if (this.state === 'alive') this.#end('closed', new ClosedError(`session ${this.#hexId} was orphaned`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  toJSON(): Record<string, unknown> {
    return { leaseId: this.leaseId.toString(), ttlMs: this.ttlMs, state: this.state };
  }

  acknowledged(sentAt: Moment, ttlMs: number): void {
    if (this.state !== 'alive') return;
    this.#deadline.acknowledged(sentAt, ttlMs);
    for (const tell of [...this.#acknowledgements]) tell(sentAt);
  }

  gone(): void {
    this.#lose('etcd no longer has it (expired or revoked)');
  }

  get #hexId(): string {
    return this.leaseId.toString(16);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const left = this.remainingMs;
    if (this.#state !== 'alive') return;
    this.#timer = setTimeout(() => this.#arm(), Math.min(Math.ceil(left), CLOCK_CHECK_MS));
  }

  #acknowledgedAfter(askedAt: Moment): { promise: Promise<void>; stop: () => void } {
    let tell: (sentAt: Moment) => void = () => undefined;
    let onLost = () => {};
    const promise = new Promise<void>((resolve, reject) => {
      tell = (sentAt) => {
        if (sentAt.monotonic >= askedAt.monotonic) resolve();
      };
      onLost = () => reject(this.signal.reason);
      this.#acknowledgements.add(tell);
      this.signal.addEventListener('abort', onLost, { once: true });
    });
    promise.catch(() => undefined);
    const stop = () => {
      this.#acknowledgements.delete(tell);
      this.signal.removeEventListener('abort', onLost);
    };
    return { promise, stop };
  }

  #lose(why: string): void {
    if (this.#state !== 'alive') return;
    this.#context.logger.warn('session lost', { leaseId: this.#hexId, ttlMs: this.ttlMs, why });
    this.#context.metrics?.sessionLost();
    this.#end('lost', this.#lostError(why));
  }

  #lostError(why: string): SessionLostError {
    const message = `session lost: lease ${this.#hexId} (TTL ${this.ttlMs} ms): ${why}; start a new session`;
    return new SessionLostError(message, { leaseId: this.leaseId });
  }

  #end(state: 'closed' | 'lost', reason: CoordError): void {
    this.#state = state;
    clearTimeout(this.#timer);
    this.#context.keeper.remove(this);
    this.#context.onEnded(this);
    this.#controller.abort(reason);
  }
}

const NAMES = { ...WAIT_NAMES, ttlMs: true, renewIntervalMs: true } satisfies NamesOf<OpenOptions>;

/** @throws {ValidationError} */
function readOpenOptions(given: OpenOptions): OpenOptions {
  const issues: IssueList = [];
  const options = readOptions(issues, given, NAMES);
  const { ttlMs, renewIntervalMs } = options;
  checkWaitFields(issues, options);
  if (ttlMs !== undefined) checkTtlMs(issues, 'ttlMs', ttlMs);
  if (renewIntervalMs !== undefined) checkPositiveMs(issues, 'renewIntervalMs', renewIntervalMs);
  assertValid(issues);
  return options;
}

function randomLeaseId(): bigint {
  const id = randomBytes(8).readBigUInt64BE() >> 1n;
  return id === 0n ? 1n : id;
}

function isNotApplied(error: unknown): boolean {
  return error instanceof Error && 'outcome' in error && error.outcome === 'not-applied';
}

/** Revokes within a deadline; past it, or without etcd, the lease expires by its TTL. */
async function revoke(leaseId: bigint, context: SessionContext, options: WaitOptions): Promise<void> {
  const timeoutMs = options.timeoutMs ?? REVOKE_TIMEOUT_MS;
  try {
    const call = { signal: options.signal, timeoutMs };
    const request = () => ({ ID: leaseId.toString() });
    await context.transport.unary('leaseRevoke', request, 'idempotent', call);
  } catch (error) {
    if (error instanceof AbortedError) throw error;
    context.logger.debug('lease not revoked, it expires by its TTL', {
      leaseId: leaseId.toString(16),
      error,
    });
  }
}

function revokeInBackground(leaseId: bigint, context: SessionContext): void {
  revoke(leaseId, context, {}).catch(() => undefined);
}
