import type * as grpc from '@grpc/grpc-js';
import { AuthToken } from './auth-token.js';
import { backoffDelayMs, delay } from './backoff.js';
import { monotonicNow } from './clock.js';
import type { Connection, Endpoint } from './endpoint.js';
import { EndpointPool } from './endpoint-pool.js';
import { AbortedError, AuthError, ClosedError, ConnectionError, CoordError } from './errors.js';
import type { CallOptions } from './kv.js';
import type { CoordLogger } from './logger.js';
import type { ResolvedClientOptions } from './options.js';
import { SERVICE_OF, STREAM_SERVICE_OF, type StreamRpcs, type UnaryRpcs } from './rpc.js';
import { type RpcFailure, translateRpcError } from './rpc-errors.js';
import { assertValid, checkWaitOptions } from './validation.js';
import { Wait } from './wait.js';

/**
 * What repeating the call would do: nothing (`read`), nothing because it is guarded (`idempotent`),
 * or possibly apply it twice (`write`).
 */
export type CallKind = 'read' | 'idempotent' | 'write';

export interface OpenStream<M extends keyof StreamRpcs> {
  readonly stream: StreamRpcs[M]['stream'];
  readonly endpoint: Endpoint;
  /** The token that the stream was opened with. */
  readonly token: string | undefined;
}

/** One attempt's share of a repeatable call's time, so that a frozen member leaves time for another. */
const ATTEMPTS_IN_TIMEOUT = 3;
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
  readonly #pending = new Set<(error: CoordError) => void>();
  #closed = false;

  constructor(options: ResolvedClientOptions, logger: CoordLogger) {
    this.#options = options;
    this.#logger = logger;
    this.pool = new EndpointPool(options, logger);
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
    if (signal?.aborted) throw new AbortedError(`${method}: aborted by the caller`, { cause: signal.reason });
    const timeoutMs = options.timeoutMs ?? this.#options.requestTimeoutMs;
    const expiresAt = monotonicNow() + timeoutMs;
    let reauthenticated = false;
    let maybeApplied = false;

    for (let attempt = 1; ; attempt++) {
      const endpoint = this.#endpoint(method);
      const attemptMs = this.#attemptMs(kind, timeoutMs, expiresAt);
      let failure: RpcFailure;
      let token: string | undefined;
      let sent = false;
      try {
        token = await this.#tokenFor(endpoint, attemptMs, signal);
        sent = true;
        const response = await this.#attempt(method, request, endpoint, token, attemptMs, kind, signal);
        this.pool.succeeded(endpoint);
        return response;
      } catch (cause) {
        failure = translateRpcError(cause, {
          method,
          endpoint: endpoint.url,
          timeoutMs: attemptMs,
          writes: sent && kind !== 'read',
        });
      }

      const { error, remedy } = failure;
      maybeApplied ||= error.outcome === 'unknown';
      if (failure.endpointFault) this.pool.failed(endpoint, reasonOf(error));
      if (remedy === 'reauthenticate' && this.#options.credentials && !reauthenticated) {
        reauthenticated = true;
        this.#token.invalidate(token);
        continue;
      }
      const repeatable = remedy === 'retry' || (remedy === 'retry-if-repeatable' && kind !== 'write');
      const pauseMs = this.#pauseMs(attempt);
      if (!repeatable || attempt >= this.#maxAttempts() || monotonicNow() + pauseMs >= expiresAt) {
        throw maybeApplied ? withUnknownOutcome(error) : error;
      }
      this.#logger.debug('retrying', { method, attempt, endpoint: endpoint.url, error: error.message });
      await this.#pause(pauseMs, signal, maybeApplied);
    }
  }

  /** Opens a stream on the endpoint in use. The caller reports what becomes of it to the pool. */
  async openStream<M extends keyof StreamRpcs>(method: M): Promise<OpenStream<M>> {
    const endpoint = this.#endpoint(method);
    const token = await this.#tokenFor(endpoint, this.#options.requestTimeoutMs);
    const connection = await endpoint.connection(STREAM_SERVICE_OF[method], method);
    if (this.#closed) throw this.closedError(method);
    const stream = connection.client[method](callMetadata(connection, token, true));
    return { stream, endpoint, token };
  }

  /** Translates a stream's failure and draws the consequences for endpoint and token. */
  streamFailed(method: keyof StreamRpcs, opened: OpenStream<keyof StreamRpcs>, cause: unknown): RpcFailure {
    const failure = translateRpcError(cause, {
      method,
      endpoint: opened.endpoint.url,
      timeoutMs: this.#options.requestTimeoutMs,
      writes: false,
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
        const token = await this.#tokenFor(endpoint, timeoutMs, signal);
        const status = await this.#attempt('status', {}, endpoint, token, timeoutMs, 'read', signal);
        if (status.leader === '0') throw new ConnectionError('the member has no leader');
        this.pool.succeeded(endpoint);
      } catch (cause) {
        const context = { method: 'status', endpoint: endpoint.url, timeoutMs, writes: false };
        const { error } = translateRpcError(cause, context);
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
      const list = endpoints.map(({ endpoint, reason }) => `${endpoint} (${reason})`).join(', ');
      throw new ConnectionError(`no etcd endpoint answered within ${timeoutMs} ms: ${list}`, {
        cause,
        endpoints,
      });
    }
  }

  /** Rejects every pending call and disconnects. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const reject of [...this.#pending]) reject(this.closedError('call'));
    this.pool.close();
  }

  async #attempt<M extends keyof UnaryRpcs>(
    method: M,
    request: UnaryRpcs[M]['request'],
    endpoint: Endpoint,
    token: string | undefined,
    timeoutMs: number,
    kind: CallKind,
    signal: AbortSignal | undefined,
  ): Promise<UnaryRpcs[M]['response']> {
    const connection = await endpoint.connection(SERVICE_OF[method], method);
    if (this.#closed) throw this.closedError(method);
    // Reads that may be stale are also wanted from a member that has lost its leader.
    const requireLeader = !('serializable' in request && request.serializable === true);
    const metadata = callMetadata(connection, token, requireLeader);
    const outcome = kind === 'read' ? 'not-applied' : 'unknown';

    return new Promise((resolve, reject) => {
      const cancel = (error: CoordError) => {
        settle();
        call.cancel();
        reject(error);
      };
      const onAbort = () =>
        cancel(new AbortedError(`${method}: aborted by the caller`, { outcome, cause: signal?.reason }));
      const onClose = (error: CoordError) =>
        cancel(outcome === 'unknown' ? withUnknownOutcome(error) : error);
      const settle = () => {
        signal?.removeEventListener('abort', onAbort);
        this.#pending.delete(onClose);
      };
      const deadline = Date.now() + timeoutMs;
      const call = connection.client[method](request, metadata, { deadline }, (error, response) => {
        settle();
        if (error || response === undefined)
          reject(error ?? new CoordError('COORD_INTERNAL', `${method}: empty answer`));
        else resolve(response);
      });
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#pending.add(onClose);
    });
  }

  #endpoint(method: string): Endpoint {
    if (this.#closed) throw this.closedError(method);
    return this.pool.current;
  }

  closedError(method: string): ClosedError {
    return new ClosedError(`${method}: the client is closed`);
  }

  /** The token, or undefined without credentials. */
  async #tokenFor(endpoint: Endpoint, timeoutMs: number, signal?: AbortSignal): Promise<string | undefined> {
    if (this.#options.credentials === undefined) return undefined;
    if (this.#token.known) return this.#token.value;
    using wait = new Wait({ timeoutMs, signal }, `log in to ${endpoint.url}`);
    return await wait.race(this.#token.fetch(endpoint));
  }

  async #logIn(endpoint: Endpoint): Promise<string | undefined> {
    const { credentials, requestTimeoutMs } = this.#options;
    if (credentials === undefined) return undefined;
    const request = { name: credentials.username, password: credentials.password };
    try {
      const { token } = await this.#attempt(
        'authenticate',
        request,
        endpoint,
        undefined,
        requestTimeoutMs,
        'read',
        undefined,
      );
      return token;
    } catch (cause) {
      if (cause instanceof Error && cause.message.includes('authentication is not enabled')) {
        this.#logger.warn('etcd has authentication turned off; username and password are not used');
        return undefined;
      }
      throw cause;
    }
  }

  #attemptMs(kind: CallKind, timeoutMs: number, expiresAt: number): number {
    const left = Math.max(1, expiresAt - monotonicNow());
    if (kind === 'write' || this.pool.size === 1) return left;
    return Math.min(left, Math.max(MIN_ATTEMPT_MS, timeoutMs / ATTEMPTS_IN_TIMEOUT));
  }

  #maxAttempts(): number {
    return Math.max(this.#options.retry.maxAttempts, this.pool.size);
  }

  /** Other endpoints are tried at once; only when each has had its turn do we wait. */
  #pauseMs(attempt: number): number {
    const round = attempt - this.pool.size + 1;
    return round < 1 ? 0 : backoffDelayMs(round, this.#options.retry);
  }

  async #pause(ms: number, signal: AbortSignal | undefined, maybeApplied: boolean): Promise<void> {
    if (ms === 0) return;
    try {
      await delay(ms, signal);
    } catch (error) {
      throw maybeApplied && CoordError.is(error) ? withUnknownOutcome(error) : error;
    }
  }
}

function callMetadata(
  connection: Connection,
  token: string | undefined,
  requireLeader: boolean,
): grpc.Metadata {
  const metadata = connection.metadata.clone();
  // A member without a leader then fails at once instead of hanging: etcd's `WithRequireLeader`.
  if (requireLeader) metadata.set('hasleader', 'true');
  if (token !== undefined) metadata.set('token', token);
  return metadata;
}

function reasonOf(error: CoordError): string {
  const own = error instanceof ConnectionError ? error.endpoints[0]?.reason : undefined;
  return own ?? error.message;
}

/** The same error, saying that an earlier attempt may have been applied. */
function withUnknownOutcome(error: CoordError): CoordError {
  if (error.outcome === 'unknown') return error;
  return Object.defineProperty(error, 'outcome', { value: 'unknown', enumerable: true });
}
