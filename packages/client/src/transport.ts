import { delay } from './backoff.js';
import { callMetadata } from './call-metadata.js';
import { monotonicNow } from './clock.js';
import { dial } from './dial.js';
import type { Endpoint } from './endpoint.js';
import { EndpointPool } from './endpoint-pool.js';
import { AuthError, type ClosedError, type Outcome, TimeoutError } from './errors.js';
import { HealthProbe } from './health-probe.js';
import type { CallOptions } from './kv.js';
import type { CoordLogger } from './logger.js';
import { Login } from './login.js';
import { manyMayListen } from './many-may-listen.js';
import { MemberCheck } from './member-check.js';
import type { ResolvedClientOptions } from './options.js';
import { type CallKind, RetrySchedule } from './retry-schedule.js';
import { type RpcStream, STREAM_SERVICE_OF, type StreamRpcs, type UnaryRpcs } from './rpc.js';
import { type RpcFailure, reasonOf, translateRpcError } from './rpc-errors.js';
import { ServerIdentities } from './server-identities.js';
import { START_STREAM } from './start-stream.js';
import { closedError, UnaryCalls } from './unary-calls.js';
import { assertValid, checkWaitOptions } from './validation.js';
import { raceAbort, Wait } from './wait.js';

export type { CallKind } from './retry-schedule.js';

/** Where a stream goes, or was to go. */
interface StreamOrigin {
  readonly endpoint: Endpoint;
  /** The token that the stream was opened with. */
  readonly token: string | undefined;
}

export interface OpenStream<M extends keyof StreamRpcs> extends StreamOrigin {
  readonly stream: RpcStream<M>;
}

const PROBE_TIMEOUT_MS = 2_000;

/**
 * Sends calls to etcd: chooses the endpoint, sets deadlines, logs in, retries what may be retried,
 * and translates errors. Everything that talks to etcd goes through here.
 */
export class Transport {
  readonly pool: EndpointPool;
  readonly #options: ResolvedClientOptions;
  readonly #logger: CoordLogger;
  readonly #calls = new UnaryCalls();
  readonly #login: Login;
  readonly #members: MemberCheck;
  readonly #identities: ServerIdentities;
  readonly #probe: HealthProbe;
  /** Ends the pauses between attempts, and what is being prepared. */
  readonly #closing = new AbortController();

  constructor(options: ResolvedClientOptions, logger: CoordLogger) {
    this.#options = options;
    this.#logger = logger;
    manyMayListen(this.#closing.signal);
    this.#login = new Login(options, logger, this.#calls);
    this.#members = new MemberCheck(this.#calls, this.#login);
    this.#identities = new ServerIdentities(options, logger, (endpoint) =>
      this.#members.status(endpoint, options.requestTimeoutMs),
    );
    this.#probe = new HealthProbe((endpoint) => this.#examine(endpoint));
    this.pool = new EndpointPool(options, logger, {
      answered: (endpoint) => this.#identities.ask(endpoint),
      failed: (endpoint) => this.#probe.failed(endpoint),
      recovered: (endpoint) => this.#probe.recovered(endpoint),
    });
  }

  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /**
   * Makes a call, with retries as its kind permits, all within one deadline.
   * @param request what to send, asked for anew at each attempt
   */
  async unary<M extends keyof UnaryRpcs>(
    method: M,
    request: () => UnaryRpcs[M]['request'],
    kind: CallKind,
    options: CallOptions = {},
  ): Promise<UnaryRpcs[M]['response']> {
    assertValid(checkWaitOptions([], options, false));
    const { signal, timeoutMs = this.#options.requestTimeoutMs } = options;
    manyMayListen(signal);
    const schedule = new RetrySchedule(kind, timeoutMs, this.#options.retry, this.pool.size);
    let reauthenticated = false;
    /** What an error means for the whole call, if this attempt changes nothing. */
    let outcome: Outcome = 'not-applied';

    for (let attempt = 1; ; attempt++) {
      this.#calls.assertWanted(method, signal, outcome);
      const endpoint = this.pool.current;
      const startedAt = monotonicNow();
      let failure: RpcFailure;
      let token: string | undefined;
      let sent = false;
      try {
        if (endpoint.connected && this.#login.ready) token = this.#login.value;
        else token = await this.#prepare(endpoint, schedule.preparationMs(attempt), signal);
        this.#calls.assertWanted(method, signal, outcome);
        sent = true;
        const response = await this.#calls.send(method, request(), endpoint, {
          token,
          timeoutMs: schedule.answerMs(attempt),
          signal,
          unsent: outcome,
          lost: kind === 'read' ? outcome : 'unknown',
        });
        this.pool.succeeded(endpoint);
        return response;
      } catch (cause) {
        if (!sent) this.#calls.assertWanted(method, signal, outcome);
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
      this.#blame(endpoint, failure, startedAt);
      if (remedy === 'reauthenticate' && this.#login.required && !reauthenticated) {
        reauthenticated = true;
        this.#login.invalidate(token);
        continue;
      }
      const repeatable = remedy === 'retry' || (remedy === 'retry-if-repeatable' && kind !== 'write');
      const pauseMs = repeatable ? schedule.pauseMs(attempt) : undefined;
      if (pauseMs === undefined) throw error;
      this.#logger.debug('retrying', { method, attempt, endpoint: endpoint.url, error: error.message });
      await this.#pause(pauseMs, signal);
    }
  }

  /** Opens a stream on the endpoint in use. The caller reports what becomes of it to the pool. */
  async openStream<M extends keyof StreamRpcs>(method: M): Promise<OpenStream<M>> {
    this.#calls.assertWanted(method, undefined, 'not-applied');
    const endpoint = this.pool.current;
    let token = this.#login.value;
    try {
      if (!endpoint.connected || !this.#login.ready) {
        const { requestTimeoutMs, retry } = this.#options;
        const schedule = new RetrySchedule('read', requestTimeoutMs, retry, this.pool.size);
        token = await this.#prepare(endpoint, schedule.preparationMs(1));
      }
    } catch (cause) {
      this.#calls.assertWanted(method, undefined, 'not-applied');
      throw this.streamFailed(method, { endpoint, token }, cause).error;
    }
    const connection = await endpoint.connection(STREAM_SERVICE_OF[method], method);
    this.#calls.assertWanted(method, undefined, 'not-applied');
    const stream = START_STREAM[method](connection.client, callMetadata(connection, token, true));
    return { stream, endpoint, token };
  }

  /** Translates a stream's failure and draws the consequences for endpoint and token. */
  streamFailed(method: keyof StreamRpcs, opened: StreamOrigin, cause: unknown): RpcFailure {
    const failure = this.#translate(method, opened.endpoint, cause);
    this.#blame(opened.endpoint, failure);
    if (failure.remedy === 'reauthenticate') this.#login.invalidate(opened.token);
    return failure;
  }

  /** Forgets a token that turned out to be refused; the next call or stream logs in again. */
  invalidateToken(token: string | undefined): void {
    this.#login.invalidate(token);
  }

  /**
   * Asks every endpoint at once until one is found to work with.
   * @throws {ConnectionError} naming every endpoint and why it failed
   * @throws {AuthError} when etcd answers but refuses the credentials
   */
  async dial(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const check = (endpoint: Endpoint, leftMs: number) =>
      this.#members.check(endpoint, this.#identities, leftMs, signal);
    await dial(this.pool, timeoutMs, check, signal);
  }

  /** Rejects every pending call and disconnects. */
  close(): void {
    if (this.closed) return;
    this.#calls.close();
    this.#closing.abort();
    this.#probe.close();
    this.pool.close();
  }

  closedError(method: string): ClosedError {
    return closedError(method);
  }

  /**
   * Connects and logs in, and gives the token. So an endpoint that does not take connections costs a
   * share of the call's time, and a write that was never sent is tried elsewhere.
   */
  async #prepare(endpoint: Endpoint, timeoutMs: number, signal?: AbortSignal): Promise<string | undefined> {
    using wait = new Wait({ timeoutMs, signal }, `connect to ${endpoint.url}`);
    const ready = async () => {
      await endpoint.connect();
      return await this.#login.token(endpoint, Math.max(1, wait.remainingMs), wait.signal);
    };
    return await raceAbort(wait.race(ready()), this.#closing.signal);
  }

  /** Draws the consequences of a failure for the endpoint. @param startedAt of a call that had a time of its own */
  #blame(endpoint: Endpoint, failure: RpcFailure, startedAt?: number): void {
    if (this.closed) return;
    const late = failure.error instanceof TimeoutError;
    if (late && startedAt !== undefined && !endpoint.owesAnswer(startedAt)) return;
    if (failure.silent) this.pool.unresponsive(endpoint, reasonOf(failure.error), startedAt);
    else if (failure.endpointFault) this.pool.failed(endpoint, reasonOf(failure.error));
  }

  /** Asks an endpoint that has failed how it is. */
  async #examine(endpoint: Endpoint): Promise<void> {
    const startedAt = monotonicNow();
    try {
      const timeoutMs = Math.min(PROBE_TIMEOUT_MS, this.#options.requestTimeoutMs);
      await this.#members.check(endpoint, this.#identities, timeoutMs);
      this.pool.succeeded(endpoint);
    } catch (cause) {
      if (this.closed) return;
      const failure = this.#translate('probe', endpoint, cause);
      if (failure.remedy === 'reauthenticate') this.#login.invalidate(this.#login.value);
      // That it refuses the user is no fault of the endpoint.
      if (failure.error instanceof AuthError) this.pool.succeeded(endpoint);
      else if (failure.silent) this.pool.unresponsive(endpoint, reasonOf(failure.error), startedAt);
      else this.pool.failed(endpoint, reasonOf(failure.error));
    }
  }

  /** Translates the failure of what changes nothing. */
  #translate(method: string, endpoint: Endpoint, cause: unknown): RpcFailure {
    const timeoutMs = this.#options.requestTimeoutMs;
    const harmless = { refused: 'not-applied', lost: 'not-applied' } as const;
    return translateRpcError(cause, { method, endpoint: endpoint.url, timeoutMs, ...harmless });
  }

  /** Ends early when the caller aborts or the client closes; whoever goes on then asks `assertWanted`. */
  async #pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    if (ms === 0) return;
    const ended = new AbortController();
    const end = () => ended.abort();
    const signals = [signal, this.#closing.signal];
    for (const each of signals) each?.addEventListener('abort', end, { once: true });
    await delay(ms, ended.signal).catch(end);
    for (const each of signals) each?.removeEventListener('abort', end);
  }
}
