import type { Endpoint } from './endpoint.js';

/** Logs in and returns the token; undefined when the server has authentication turned off. */
export type Authenticate = (endpoint: Endpoint) => Promise<string | undefined>;

/**
 * The cluster's auth token. Tokens are replicated, so one serves all endpoints; a login costs the
 * server some 70 ms of bcrypt, so however many calls want one, there is one login an endpoint.
 * Only the calls to a dead endpoint wait for its login.
 */
export class AuthToken {
  readonly #authenticate: Authenticate;
  readonly #pending = new Map<Endpoint, Promise<string | undefined>>();
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
    let pending = this.#pending.get(endpoint);
    if (pending === undefined) {
      pending = this.#logIn(endpoint);
      this.#pending.set(endpoint, pending);
    }
    return pending;
  }

  /** Forgets the token that was refused; a newer one stays. */
  invalidate(refused: string | undefined): void {
    if (this.#known && this.#token === refused) {
      this.#known = false;
      this.#token = undefined;
    }
  }

  async #logIn(endpoint: Endpoint): Promise<string | undefined> {
    try {
      const token = await this.#authenticate(endpoint);
      this.#token = token;
      this.#known = true;
      return token;
    } finally {
      this.#pending.delete(endpoint);
    }
  }
}
