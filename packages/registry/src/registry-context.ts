import { ClosedError, type CoordClient, TimeoutError, type WaitOptions } from '@coord/client';
import { type ClientInternals, type CoordLogger, internalsOf, Wait } from '@coord/client/internal';
import { ServiceKeys } from './keys.js';
import type { ResolvedRegistryConfig } from './options.js';

/** What the two halves of a registry, registering and discovering, have in common. */
export class RegistryContext {
  readonly client: CoordClient;
  readonly config: ResolvedRegistryConfig;
  readonly keys: ServiceKeys;
  readonly #internals: ClientInternals;
  #closed = false;

  constructor(client: CoordClient, config: ResolvedRegistryConfig) {
    this.client = client;
    this.config = config;
    this.keys = new ServiceKeys(config.keyPrefix);
    this.#internals = internalsOf(client);
  }

  get logger(): CoordLogger {
    return this.#internals.logger;
  }

  /** From here on nothing new begins. */
  close(): void {
    this.#closed = true;
  }

  get closed(): boolean {
    return this.#closed;
  }

  assertOpen(): void {
    if (this.#closed) throw new ClosedError('the registry has been closed');
  }

  /** A caller's wait for etcd: without `timeoutMs`, for the client's `requestTimeoutMs`. */
  wait(options: WaitOptions | undefined, what: string): Wait {
    const timeoutMs = options?.timeoutMs ?? this.#internals.options.requestTimeoutMs;
    return new Wait(
      { signal: options?.signal, timeoutMs },
      what,
      (ms) => new TimeoutError(`${what}: etcd did not answer within ${ms} ms`, { timeoutMs: ms }),
    );
  }
}
