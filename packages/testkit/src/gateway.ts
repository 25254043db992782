import { TestkitError } from './errors.js';
import type { EtcdCredentials } from './etcd-server.js';
import { type CallTls, call } from './http.js';

const CALL_TIMEOUT_MS = 10_000;
/** What etcd says to a call without a login, or with one that it has forgotten. */
const NOT_LOGGED_IN = /invalid auth token|user name is empty|user name not found|permission denied/;

export interface GatewayCallOptions {
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * etcd's JSON gateway: what etcdctl can do, without etcdctl. Logs in when etcd asks for it.
 *
 * @internal
 */
export class Gateway {
  readonly #endpoint: () => string;
  readonly #tls: CallTls | undefined;
  readonly #auth: EtcdCredentials | undefined;
  #token: string | undefined;

  constructor(place: {
    readonly endpoint: () => string;
    readonly tls: CallTls | undefined;
    readonly auth: EtcdCredentials | undefined;
  }) {
    this.#endpoint = place.endpoint;
    this.#tls = place.tls;
    this.#auth = place.auth;
  }

  /**
   * Calls `/v3/<path>` and resolves to the answer.
   *
   * @throws {TestkitError} `COORD_TESTKIT_COMMAND_FAILED` with etcd's message.
   */
  async post(path: string, body: object, options: GatewayCallOptions = {}): Promise<unknown> {
    const first = await this.#send(path, body, options);
    if (first.status === 200) return JSON.parse(first.text);
    if (!this.#auth || !NOT_LOGGED_IN.test(first.text)) throw this.#refused(path, first);
    await this.login(options);
    const second = await this.#send(path, body, options);
    if (second.status === 200) return JSON.parse(second.text);
    throw this.#refused(path, second);
  }

  /** Fails until this member knows that authentication is on. */
  async login(options: GatewayCallOptions = {}): Promise<void> {
    this.#token = undefined;
    const path = 'auth/authenticate';
    const credentials = { name: this.#auth?.username, password: this.#auth?.password };
    const answer = await this.#send(path, credentials, options);
    if (answer.status !== 200) throw this.#refused(path, answer);
    this.#token = textAt(JSON.parse(answer.text), 'token');
  }

  async #send(path: string, body: object, options: GatewayCallOptions) {
    try {
      return await call(`${this.#endpoint()}/v3/${path}`, {
        method: 'POST',
        body,
        tls: this.#tls,
        token: this.#token,
        timeoutMs: options.timeoutMs ?? CALL_TIMEOUT_MS,
        signal: options.signal,
      });
    } catch (cause) {
      const problem = cause instanceof Error ? cause.message : String(cause);
      throw failed(`${path} at ${this.#endpoint()}: no answer (${problem})`, { cause });
    }
  }

  #refused(path: string, { status, text }: { readonly status: number; readonly text: string }): TestkitError {
    return failed(`${path} at ${this.#endpoint()}: ${status} ${text.trim()}`);
  }
}

/** A string in an answer; empty if it is not there, as the gateway leaves out what is empty. @internal */
export function textAt(answer: unknown, ...path: readonly string[]): string {
  const value = path.reduce(childOf, answer);
  return typeof value === 'string' ? value : '';
}

/** A 64-bit number, which the gateway writes as a string; 0 if it is not there. @internal */
export function bigintAt(answer: unknown, ...path: readonly string[]): bigint {
  return BigInt(textAt(answer, ...path) || 0);
}

/** A list in an answer. @internal */
export function listAt(answer: unknown, name: string): readonly unknown[] {
  const value = childOf(answer, name);
  return Array.isArray(value) ? value : [];
}

function childOf(parent: unknown, name: string): unknown {
  const fields = typeof parent === 'object' && parent !== null ? Object.entries(parent) : [];
  return fields.find(([key]) => key === name)?.[1];
}

function failed(problem: string, options?: ErrorOptions): TestkitError {
  return new TestkitError('COORD_TESTKIT_COMMAND_FAILED', problem, 'see its message', options);
}
