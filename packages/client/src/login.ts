import { AuthToken } from './auth-token.js';
import type { Endpoint } from './endpoint.js';
import type { CoordLogger } from './logger.js';
import type { ResolvedClientOptions } from './options.js';
import { isAuthDisabled } from './rpc-errors.js';
import { HARMLESS, type UnaryCalls } from './unary-calls.js';
import { Wait } from './wait.js';

/** Gives each call its token, and logs in when there is none. */
export class Login {
  readonly #options: ResolvedClientOptions;
  readonly #logger: CoordLogger;
  readonly #calls: UnaryCalls;
  readonly #token = new AuthToken((endpoint) => this.#logIn(endpoint));

  constructor(options: ResolvedClientOptions, logger: CoordLogger, calls: UnaryCalls) {
    this.#options = options;
    this.#logger = logger;
    this.#calls = calls;
  }

  /** Whether there is a user to log in. */
  get required(): boolean {
    return this.#options.credentials !== undefined;
  }

  /** Whether {@link value} will do: the hot path, without a promise. */
  get ready(): boolean {
    return !this.required || (this.#token.known && !this.#token.ageing);
  }

  /** The token at hand; undefined without a user. */
  get value(): string | undefined {
    return this.#token.value;
  }

  /**
   * The token, or undefined without a user.
   * @throws {TimeoutError} when the login takes longer
   */
  async token(endpoint: Endpoint, timeoutMs: number, signal?: AbortSignal): Promise<string | undefined> {
    if (!this.required) return undefined;
    if (this.#token.known) {
      if (this.#token.ageing) this.#refreshMeanwhile(endpoint);
      return this.#token.value;
    }
    using wait = new Wait({ timeoutMs, signal }, `log in to ${endpoint.url}`);
    return await wait.race(this.#token.fetch(endpoint));
  }

  /** Forgets a token that was refused. */
  invalidate(token: string | undefined): void {
    this.#token.invalidate(token);
  }

  #refreshMeanwhile(endpoint: Endpoint): void {
    this.#token.refresh(endpoint).catch((error) => {
      this.#logger.warn('the auth token could not be renewed yet', { reason: String(error) });
    });
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
      if (isAuthDisabled(cause)) {
        this.#logger.warn('etcd has authentication turned off; username and password are not used');
        return undefined;
      }
      throw cause;
    }
  }
}
