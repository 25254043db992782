import type { IStatusResponse } from 'etcd3';
import { monotonicNow } from './clock.js';
import type { Endpoint } from './endpoint.js';
import type { Login } from './login.js';
import { isPermissionDenied } from './rpc-errors.js';
import type { ServerIdentities } from './server-identities.js';
import { HARMLESS, type UnaryCalls } from './unary-calls.js';

/** Any key will do: nobody need be allowed to read it, and hardly anybody has it. */
const ANY_KEY = { key: Buffer.of(0), keys_only: true };

/** Finds out whether a member is one to work with. */
export class MemberCheck {
  readonly #calls: UnaryCalls;
  readonly #login: Login;

  constructor(calls: UnaryCalls, login: Login) {
    this.#calls = calls;
    this.#login = login;
  }

  /** What a member says of itself. */
  async status(endpoint: Endpoint, timeoutMs: number, signal?: AbortSignal): Promise<IStatusResponse> {
    const expiresAt = monotonicNow() + timeoutMs;
    const token = await this.#login.token(endpoint, timeoutMs, signal);
    const options = { ...HARMLESS, timeoutMs: Math.max(1, expiresAt - monotonicNow()), signal, token };
    return await this.#calls.send('status', {}, endpoint, options);
  }

  /**
   * Whether a member answers, knows a leader, reaches a majority, and takes us for who we are.
   * @throws what is wrong with it, as grpc-js or we say it
   */
  async check(
    endpoint: Endpoint,
    identities: ServerIdentities,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<void> {
    const expiresAt = monotonicNow() + timeoutMs;
    const connections = Math.max(endpoint.connections, 1); // the first call makes the first one
    const status = await this.status(endpoint, timeoutMs, signal);
    identities.note(endpoint, status, connections);
    try {
      // Linearizable, so a leader and a majority take part; and unlike Status it tells that a user is required.
      const left = { timeoutMs: Math.max(1, expiresAt - monotonicNow()), signal };
      const token = this.#login.value;
      await this.#calls.send('range', ANY_KEY, endpoint, { ...HARMLESS, ...left, token });
    } catch (cause) {
      if (!isPermissionDenied(cause)) throw cause; // etcd looks at permissions last
    }
  }
}
