import type { IStatusResponse } from 'etcd3';
import { AuthToken } from './auth-token.js';
import { backoffDelayMs, delay } from './backoff.js';
import { callMetadata } from './call-metadata.js';
import { monotonicNow } from './clock.js';
import type { Endpoint } from './endpoint.js';
import { EndpointPool } from './endpoint-pool.js';
import {
  AbortedError,
  AuthError,
  ClosedError,
  ConnectionError,
  type CoordError,
  type EndpointFailure,
  type Outcome,
} from './errors.js';
import type { CallOptions } from './kv.js';
import type { CoordLogger } from './logger.js';
import { manyMayListen } from './many-may-listen.js';
import type { ResolvedClientOptions } from './options.js';
import { type RpcStream, STREAM_SERVICE_OF, type StreamRpcs, type UnaryRpcs } from './rpc.js';
import { isPermissionDenied, type RpcFailure, translateRpcError } from './rpc-errors.js';
import { ServerIdentities } from './server-identities.js';
import { closedError, UnaryCalls } from './unary-calls.js';
import { assertValid, checkWaitOptions } from './validation.js';
import { Wait } from './wait.js';

/**
 * What repeating the call would do: nothing (`read`), nothing because it is guarded (`idempotent`),
 * or possibly apply it twice (`write`).
 */
export type CallKind = 'read' | 'idempotent' | 'write';

/** Where a stream goes, or was to go. */
interface StreamOrigin {
  readonly endpoint: Endpoint;
  /** The token that the stream was opened with. */
  readonly token: string | undefined;
}

export interface OpenStream<M extends keyof StreamRpcs> extends StreamOrigin {
  readonly stream: RpcStream<M>;
}

const HARMLESS = { unsent: 'not-applied', lost: 'not-applied' } as const;

/**
 * A repeatable call tries twice for a share of its time, so that a frozen member or a dead line
 * leaves time for another, and then for all that is left, so that what is merely slow gets done.
 */
const SHORT_ATTEMPTS = 2;
const SHORT_ATTEMPT_SHARE = 1 / 4;
const MIN_ATTEMPT_MS = 500;

/**
 * Sends calls to etcd: chooses the endpoint, sets deadlines, logs in, retries what may be retried,
 * and translates errors. Everything that talks to etcd goes through here.
 */
export class Transport {
  readonly pool: EndpointPool;
  readonly #options: ResolvedClientOptions;
  readonly #logger: CoordLogger;
  readonly #token: AuthToken;
  readonly #identities: ServerIdentities;
  readonly #calls = new UnaryCalls();
  /** How to end each pause between attempts. */
  readonly #pauses = new Set<() => void>();
  #closed = false;

  constructor(options: ResolvedClientOptions, logger: CoordLogger) {
    this.#options = options;
    this.#logger = logger;
    this.#identities = new ServerIdentities(options, logger, (endpoint) => this.#status(endpoint));
    this.pool = new EndpointPool(options, logger, (endpoint) => this.#identities.ask(endpoint));
    this.#token = new AuthToken((endpoint) => this.#logIn(endpoint));
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Makes a call, with retries as its kind permits, all within one deadline. */
  async unary<M extends keyof UnaryRpcs>(
    method: M,
    request: UnaryRpcs[M]['request'],
    kind: CallKind,
    options: CallOptions = {},
  ): Promise<UnaryRpcs[M]['response']> {
    assertValid(checkWaitOptions([], options));
    const { signal } = options;
    manyMayListen(signal);
    const timeoutMs = options.timeoutMs ?? this.#options.requestTimeoutMs;
    const expiresAt = monotonicNow() + timeoutMs;
    let reauthenticated = false;
    /** What an error means for the whole call, if this attempt changes nothing. */
    let outcome: Outcome = 'not-applied';

    for (let attempt = 1; ; attempt++) {
      this.#calls.assertWanted(method, signal, outcome);
      const endpoint = this.pool.current;
      const startedAt = monotonicNow();
      const attemptMs = this.#attemptMs(kind, attempt, timeoutMs, expiresAt);
      let failure: RpcFailure;
      let token: string | undefined;
      let sent = false;
      try {
        token = await this.#tokenFor(endpoint, attemptMs, signal, outcome);
        sent = true;
        const response = await this.#calls.send(method, request, endpoint, {
          token,
          timeoutMs: Math.max(1, Math.min(attemptMs, expiresAt - monotonicNow())),
          signal,
          unsent: outcome,
          lost: kind === 'read' ? outcome : 'unknown',
        });
        this.pool.succeeded(endpoint);
        return response;
      } catch (cause) {
        failure = translateRpcError(cause, {
          method,
          endpoint: endpoint.url,
          timeoutMs,
          refused: outcome,
          lost: sent && kind !== 'read' ? 'unknown' : outcome,
        });
      }

      const { error, remedy } = failure;
      outcome = error.outcome;
      if (failure.silent) this.pool.unresponsive(endpoint, reasonOf(error), startedAt);
      else if (failure.endpointFault) this.pool.failed(endpoint, reasonOf(error));
      if (remedy === 'reauthenticate' && this.#options.credentials && !reauthenticated) {
        reauthenticated = true;
        this.#token.invalidate(token);
        continue;
      }
      const repeatable = remedy === 'retry' || (remedy === 'retry-if-repeatable' && kind !== 'write');
      const pauseMs = this.#pauseMs(attempt);
      if (!repeatable || attempt >= this.#maxAttempts() || monotonicNow() + pauseMs >= expiresAt) throw error;
      this.#logger.debug('retrying', { method, attempt, endpoint: endpoint.url, error: error.message });
      await this.#pause(pauseMs, signal);
    }
  }

  /** Opens a stream on the endpoint in use. The caller reports what becomes of it to the pool. */
  async openStream<M extends keyof StreamRpcs>(method: M): Promise<OpenStream<M>> {
    this.#calls.assertWanted(method, undefined, 'not-applied');
    const endpoint = this.pool.current;
    let token: string | undefined;
    try {
      token = await this.#tokenFor(endpoint, this.#options.requestTimeoutMs);
    } catch (cause) {
      throw this.streamFailed(method, { endpoint, token }, cause).error;
    }
    const connection = await endpoint.connection(STREAM_SERVICE_OF[method], method);
    this.#calls.assertWanted(method, undefined, 'not-applied');
    const stream = connection.client[method](callMetadata(connection, token, true));
    return { stream, endpoint, token };
  }

  /** Translates a stream's failure and draws the consequences for endpoint and token. */
  streamFailed(method: keyof StreamRpcs, opened: StreamOrigin, cause: unknown): RpcFailure {
    const failure = translateRpcError(cause, {
      method,
      endpoint: opened.endpoint.url,
      timeoutMs: this.#options.requestTimeoutMs,
      refused: 'not-applied',
      lost: 'not-applied',
    });
    if (failure.endpointFault && !this.#closed) this.pool.failed(opened.endpoint, reasonOf(failure.error));
    if (failure.remedy === 'reauthenticate') this.#token.invalidate(opened.token);
    return failure;
  }

  /** Forgets a token that turned out to be refused; the next call or stream logs in again. */
  invalidateToken(token: string | undefined): void {
    this.#token.invalidate(token);
  }

  /**
   * Asks every endpoint at once until one answers and knows a leader.
   * @throws {ConnectionError} naming every endpoint and why it failed
   * @throws {AuthError} when etcd answers but refuses the credentials
   */
  async dial(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const attempts = this.pool.all.map(async (endpoint) => {
      try {
        await this.#checkMember(endpoint, timeoutMs, signal);
        this.pool.succeeded(endpoint);
      } catch (cause) {
        const { error } = translateRpcError(cause, {
          method: 'connect',
          endpoint: endpoint.url,
          timeoutMs,
          refused: 'not-applied',
          lost: 'not-applied',
        });
        this.pool.failed(endpoint, reasonOf(error));
        throw error;
      }
    });
    try {
      await Promise.any(attempts);
    } catch (cause) {
      const errors: unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
      const decisive = errors.find(
        (error) =>
          error instanceof AuthError || error instanceof AbortedError || error instanceof ClosedError,
      );
      if (decisive !== undefined) throw decisive;
      const endpoints = this.pool.failures;
      const list = endpoints.map(describeFailure).join(', ');
      throw new ConnectionError(`no etcd endpoint answered within ${timeoutMs} ms: ${list}`, {
        cause,
        endpoints,
      });
    }
  }

  /** Whether a member answers, knows a leader, and takes us for who we are. */
  async #checkMember(endpoint: Endpoint, timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const expiresAt = monotonicNow() + timeoutMs;
    const options = () => ({ ...HARMLESS, signal, timeoutMs: Math.max(1, expiresAt - monotonicNow()) });
    const token = await this.#tokenFor(endpoint, timeoutMs, signal);
    const { connections } = endpoint;
    const status = await this.#calls.send('status', {}, endpoint, { ...options(), token });
    // The first call makes the connection.
    this.#identities.note(endpoint, status, Math.max(connections, 1));
    if (status.leader === '0') throw new ConnectionError('the member has no leader');
    if (this.#options.credentials) return;
    // Status needs no login: only a read tells that a user is required.
    const anyKey = { key: Buffer.of(0), keys_only: true, serializable: true };
    try {
      await this.#calls.send('range', anyKey, endpoint, options());
    } catch (cause) {
      if (!isPermissionDenied(cause)) throw cause; // a user by certificate may be allowed other keys
    }
  }

  async #status(endpoint: Endpoint): Promise<IStatusResponse> {
    const timeoutMs = this.#options.requestTimeoutMs;
    const token = await this.#tokenFor(endpoint, timeoutMs);
    return await this.#calls.send('status', {}, endpoint, { ...HARMLESS, timeoutMs, token });
  }

  /** Rejects every pending call and disconnects. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#calls.close();
    for (const end of [...this.#pauses]) end();
    this.pool.close();
  }

  closedError(method: string): ClosedError {
    return closedError(method);
  }

  /** The token, or undefined without credentials. */
  async #tokenFor(
    endpoint: Endpoint,
    timeoutMs: number,
    signal?: AbortSignal,
    outcome: Outcome = 'not-applied',
  ): Promise<string | undefined> {
    if (this.#options.credentials === undefined) return undefined;
    if (this.#token.known) return this.#token.value;
    using wait = new Wait({ timeoutMs, signal }, `log in to ${endpoint.url}`);
    try {
      return await wait.race(this.#token.fetch(endpoint));
    } catch (error) {
      this.#calls.assertWanted('log in', signal, outcome);
      throw error;
    }
  }

  async #logIn(endpoint: Endpoint): Promise<string | undefined> {
    const { credentials, requestTimeoutMs } = this.#options;
    if (credentials === undefined) return undefined;
    const request = { name: credentials.username, password: credentials.password };
    try {
      const options = { ...HARMLESS, timeoutMs: requestTimeoutMs };
      const { token } = await this.#calls.send('authenticate', request, endpoint, options);
      return token;
    } catch (cause) {
      if (cause instanceof Error && cause.message.includes('authentication is not enabled')) {
        this.#logger.warn('etcd has authentication turned off; username and password are not used');
        return undefined;
      }
      throw cause;
    }
  }

  #attemptMs(kind: CallKind, attempt: number, timeoutMs: number, expiresAt: number): number {
    const left = Math.max(1, expiresAt - monotonicNow());
    const short = Math.min(SHORT_ATTEMPTS, this.pool.size, this.#maxAttempts() - 1);
    if (kind === 'write' || attempt > short) return left;
    return Math.min(left, Math.max(MIN_ATTEMPT_MS, timeoutMs * SHORT_ATTEMPT_SHARE));
  }

  #maxAttempts(): number {
    return Math.max(this.#options.retry.maxAttempts, this.pool.size);
  }

  /** Other endpoints are tried at once; only when each has had its turn do we wait. */
  #pauseMs(attempt: number): number {
    const round = attempt - this.pool.size + 1;
    return round < 1 ? 0 : backoffDelayMs(round, this.#options.retry);
  }

  /** Ends early when the caller aborts or the client closes; whoever goes on then asks `assertWanted`. */
  async #pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    if (ms === 0) return;
    const ended = new AbortController();
    const end = () => ended.abort();
    signal?.addEventListener('abort', end, { once: true });
    this.#pauses.add(end);
    await delay(ms, ended.signal).catch(end);
    signal?.removeEventListener('abort', end);
    this.#pauses.delete(end);
  }
}

function describeFailure({ endpoint, reason }: EndpointFailure): string {
  // All that grpc-js says when a TLS server hangs up on plain text.
  const silent = endpoint.startsWith('http:') && reason.includes('Failed to connect');
  return `${endpoint} (${reason}${silent ? '; connection closed by the server: does it want https://?' : ''})`;
}

function reasonOf(error: CoordError): string {
  const own = error instanceof ConnectionError ? error.endpoints[0]?.reason : undefined;
  return own ?? error.message;
}
