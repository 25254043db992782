import type { Endpoint } from './endpoint.js';

/** Logs in and returns the token; undefined when the server has authentication turned off. */
export type Authenticate = (endpoint: Endpoint) => Promise<string | undefined>;

/**
 * The cluster's auth token: fetched once however many calls want it, since a login costs the server
 * some 70 ms of bcrypt. Tokens are replicated, so one serves all endpoints.
 */
export class AuthToken {
  readonly #authenticate: Authenticate;
  #pending: Promise<string | undefined> | undefined;
  #token: string | undefined;
  #known = false;

  constructor(authenticate: Authenticate) {
    this.#authenticate = authenticate;
  }

  /** The token if it is at hand: the hot path, without a promise. */
  get known(): boolean {
    return this.#known;
  }

  get value(): string | undefined {
    return this.#token;
  }

  async fetch(endpoint: Endpoint): Promise<string | undefined> {
    if (this.#known) return this.#token;
    this.#pending ??= this.#authenticate(endpoint)
      .then((token) => {
        this.#token = token;
        this.#known = true;
        return token;
      })
      .finally(() => {
        this.#pending = undefined;
      });
    return this.#pending;
  }

  /** Forgets the token that was refused; a newer one stays. */
  invalidate(refused: string | undefined): void {
    if (this.#known && this.#token === refused) {
      this.#known = false;
      this.#token = undefined;
    }
  }
}
