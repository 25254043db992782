import { type Backoff, backoffDelayMs, delay } from './backoff.js';
import { monotonicNow } from './clock.js';
import type { Endpoint } from './endpoint.js';
import { isLoginRefused } from './rpc-errors.js';

/** Logs in and returns the token; undefined when the server has authentication turned off. */
export type Authenticate = (endpoint: Endpoint) => Promise<string | undefined>;

/** How long the login at one endpoint has to serve the others too, before they try their own. */
const SHARED_LOGIN_MS = 500;
/** A token whose end is known is replaced in the background after this share of its life. */
const REFRESH_SHARE = 0.8;
/** And counts as expired when this share is left: a call takes time to arrive. */
const EXPIRED_SHARE = 0.05;
/** A refused login is not tried again for this long: each costs the server some 70 ms of bcrypt. */
const REFUSED_BACKOFF: Backoff = { initialDelayMs: 200, maxDelayMs: 5_000, multiplier: 2 };

interface Refusal {
  readonly cause: unknown;
  readonly times: number;
  readonly until: number;
}

/**
 * The cluster's auth token. Tokens are replicated, so one serves all endpoints, and however many
 * calls want one, there is one login; a second one only where the first endpoint does not answer.
 *
 * etcd prolongs a simple token with each use and forgets it when it was idle on a member for
 * `--auth-token-ttl`, or when the member restarts; it then refuses a call before it does anything, so
 * that a login and a repetition mend it. A JWT has an end that is known, and is replaced before it.
 * https://github.com/etcd-io/etcd/blob/v3.5.16/server/auth/simple_token.go
 */
export class AuthToken {
  readonly #authenticate: Authenticate;
  readonly #pending = new Map<Endpoint, Promise<string | undefined>>();
  #token: string | undefined;
  #known = false;
  #refreshAt = Number.POSITIVE_INFINITY;
  #expiresAt = Number.POSITIVE_INFINITY;
  #refusal: Refusal | undefined;

  constructor(authenticate: Authenticate) {
    this.#authenticate = authenticate;
  }

  /** The token if it is at hand: the hot path, without a promise. */
  get known(): boolean {
    return this.#known && monotonicNow() < this.#expiresAt;
  }

  get value(): string | undefined {
    return this.#token;
  }

  /** It is time for another one, although this one is still good. */
  get ageing(): boolean {
    return this.#known && monotonicNow() > this.#refreshAt;
  }

  /** @throws what the last login was refused with, for a while after it */
  async fetch(endpoint: Endpoint): Promise<string | undefined> {
    if (this.known) return this.#token;
    return await this.refresh(endpoint);
  }

  /** Logs in, unless somebody is at it. */
  async refresh(endpoint: Endpoint): Promise<string | undefined> {
    let pending = this.#pending.get(endpoint);
    if (pending === undefined) {
      if (this.#refusal && monotonicNow() < this.#refusal.until) throw this.#refusal.cause;
      pending = this.#logIn(endpoint, [...this.#pending.values()]);
      this.#pending.set(endpoint, pending);
    }
    return await pending;
  }

  /** Forgets the token that was refused; a newer one stays. */
  invalidate(refused: string | undefined): void {
    if (this.#known && this.#token === refused) {
      this.#known = false;
      this.#token = undefined;
    }
  }

  async #logIn(
    endpoint: Endpoint,
    others: readonly Promise<string | undefined>[],
  ): Promise<string | undefined> {
    try {
      if (others.length > 0) {
        const shared = await firstOf(others, SHARED_LOGIN_MS);
        if (shared) return shared.token;
      }
      const token = await this.#authenticate(endpoint);
      this.#keep(token);
      return token;
    } catch (cause) {
      if (isLoginRefused(cause)) this.#noteRefusal(cause);
      throw cause;
    } finally {
      this.#pending.delete(endpoint);
    }
  }

  #keep(token: string | undefined): void {
    const lifeMs = token === undefined ? undefined : jwtLifeMs(token);
    const now = monotonicNow();
    this.#token = token;
    this.#known = true;
    this.#refusal = undefined;
    this.#refreshAt = now + (lifeMs ?? Number.POSITIVE_INFINITY) * REFRESH_SHARE;
    this.#expiresAt = now + (lifeMs ?? Number.POSITIVE_INFINITY) * (1 - EXPIRED_SHARE);
  }

  #noteRefusal(cause: unknown): void {
    if (this.#refusal?.cause === cause) return; // shared by the logins at several endpoints
    const times = (this.#refusal?.times ?? 0) + 1;
    this.#refusal = { cause, times, until: monotonicNow() + backoffDelayMs(times, REFUSED_BACKOFF) };
  }
}

/**
 * The token of the first login to succeed; undefined when that takes too long or all fail.
 * @throws what a login is refused with: user and password are the same everywhere
 */
async function firstOf(
  logins: readonly Promise<string | undefined>[],
  ms: number,
): Promise<{ readonly token: string | undefined } | undefined> {
  const enough = new AbortController();
  const tokens = logins.map(async (login) => {
    try {
      return { token: await login };
    } catch (cause) {
      if (isLoginRefused(cause)) return { cause };
      throw cause;
    }
  });
  const late = delay(ms, enough.signal).catch(() => undefined);
  const first = await Promise.race([Promise.any(tokens).catch(() => undefined), late]);
  enough.abort();
  if (first && 'cause' in first) throw first.cause;
  return first ?? undefined;
}

/** How long a JWT lives from now, by its claim `exp`; undefined for anything else, or when it is no use. */
function jwtLifeMs(token: string): number | undefined {
  const [, claims, signature] = token.split('.');
  if (claims === undefined || signature === undefined) return undefined;
  try {
    const { exp }: { exp?: unknown } = JSON.parse(Buffer.from(claims, 'base64url').toString());
    const lifeMs = Number(exp) * 1_000 - Date.now(); // the only clock that both sides have
    return lifeMs > 0 ? lifeMs : undefined;
  } catch {
    return undefined;
  }
}
