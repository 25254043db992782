import { ClosedError, ValidationError, type WaitOptions } from '@coord/client';
import { assertValid, checkWaitOptions, show, Wait } from '@coord/client/internal';
import type { ServiceRegistry } from '@coord/registry';
import * as defaultGrpc from '@grpc/grpc-js';
import { type ChannelServiceConfig, channelConfig } from './channel-service-config.js';
import { type ConnectionOptions, checkConnection, wishesOf } from './connection-options.js';
import type { GrpcModule } from './grpc-adapter.js';
import { Scheme, sourceOf, sourceOptions } from './scheme.js';
import type { ServiceConfigStatus } from './service-config-status.js';
import { targetOf } from './target.js';

/** A class of clients: generated, made by `grpc.loadPackageDefinition`, or by `grpc.makeGenericClientConstructor`. */
export type ServiceClientClass<T> = new (
  address: string,
  credentials: defaultGrpc.ChannelCredentials,
  options?: Partial<defaultGrpc.ClientOptions>,
) => T;

/** One channel to all instances of a service. */
export interface ServiceConnection extends AsyncDisposable {
  readonly channel: defaultGrpc.Channel;
  readonly target: string;
  /** What calls go by now, and a stored one that was found wrong; followed from the first call, or `waitForReady`, on. */
  readonly serviceConfig: ServiceConfigStatus;
  /** A client on this connection; any number may share it. Closing such a client closes the connection. */
  client<T>(ctor: ServiceClientClass<T>): T;
  /**
   * Resolves when an instance is connected. @throws {TimeoutError} when none is within `timeoutMs`
   * @throws {ClosedError} when the connection is closed
   */
  waitForReady(options?: WaitOptions): Promise<void>;
  /** Calls in flight are ended by grpc-js as it ends those of any closed channel. Idempotent. */
  close(): Promise<void>;
}

/** The scheme behind connections; their source travels with the channel, so any number of registries can share it. */
const SCHEME = 'coord';

/**
 * A connection to a service that follows its instances. No `registerResolver` is needed. It does not wait
 * for an instance: `waitForReady` does.
 * @throws {ValidationError} naming everything that is wrong
 * @throws {ClosedError} when the registry is closed
 * @example
 * ```ts
 * import { connect } from '@coord/client';
 * import { getConnection } from '@coord/grpc-resolver';
 * import { createRegistry } from '@coord/registry';
 *
 * const client = await connect({ endpoints: ['127.0.0.1:2379'] });
 * const registry = createRegistry(client);
 * const connection = await getConnection(registry, 'user-service', { retry: true });
 * // const users = connection.client(UserServiceClient);
 * await connection.close();
 * await registry.close();
 * await client.close();
 * ```
 */
export async function getConnection(
  registry: ServiceRegistry,
  serviceName: string,
  given?: ConnectionOptions,
): Promise<ServiceConnection> {
  const options = checkConnection(registry, serviceName, given);
  const { grpc = defaultGrpc, channelOptions = {} } = options;
  const target = targetOf(SCHEME, serviceName);
  const credentials = options.credentials ?? grpc.credentials.createInsecure();
  const { own, complete } = wishesOf(options);
  const source = sourceOf(registry, options);
  Scheme.of(grpc, SCHEME);
  const config = channelConfig(grpc, source.registry, serviceName, own, complete);
  const channel = open(
    () =>
      new grpc.Channel(target, credentials, {
        ...channelOptions,
        ...sourceOptions({ ...source, config }),
        'grpc.service_config': JSON.stringify(config.current),
      }),
  );
  return new GrpcConnection({ grpc, channel, target, credentials, config });
}

interface ConnectionParts {
  readonly grpc: GrpcModule;
  readonly channel: defaultGrpc.Channel;
  readonly target: string;
  readonly credentials: defaultGrpc.ChannelCredentials;
  readonly config: ChannelServiceConfig;
}

class GrpcConnection implements ServiceConnection {
  readonly channel: defaultGrpc.Channel;
  readonly target: string;
  readonly #parts: ConnectionParts;
  #closed = false;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    this.channel = parts.channel;
    this.target = parts.target;
  }

  get serviceConfig(): ServiceConfigStatus {
    return this.#parts.config.status;
  }

  client<T>(ctor: ServiceClientClass<T>): T {
    if (!isConstructor(ctor)) {
      throw new ValidationError([{ path: 'ctor', message: `must be a class of clients, got ${show(ctor)}` }]);
    }
    return new ctor(this.target, this.#parts.credentials, { channelOverride: this.channel });
  }

  async waitForReady(options: WaitOptions = {}): Promise<void> {
    assertValid(checkWaitOptions([], options));
    using wait = new Wait(options, `connection to ${this.target}`);
    for (;;) {
      // Asked without connecting first: that would revive a channel which one of its clients has closed.
      if (this.channel.getConnectivityState(false) === this.#parts.grpc.connectivityState.SHUTDOWN) {
        throw new ClosedError(`the connection to ${this.target} has been closed`);
      }
      const state = this.channel.getConnectivityState(true);
      if (state === this.#parts.grpc.connectivityState.READY) return;
      await wait.race(this.#nextState(state));
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.channel.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Resolves at the next change of state, and now and then without one: grpc-js cannot be told to stop watching. */
  #nextState(state: defaultGrpc.connectivityState): Promise<void> {
    return new Promise((resolve) => {
      this.channel.watchConnectivityState(state, Date.now() + STATE_WATCH_MS, () => resolve());
    });
  }
}

/** Whether it may be called with `new`; it is not called for that. */
function isConstructor(value: unknown): boolean {
  try {
    Reflect.construct(Object, [], value as new () => unknown);
    return typeof value === 'function';
  } catch {
    return false;
  }
}

const STATE_WATCH_MS = 500;

/** grpc-js checks the service config when it makes the channel. */
function open(make: () => defaultGrpc.Channel): defaultGrpc.Channel {
  try {
    return make();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new ValidationError([{ path: 'serviceConfig', message: `grpc-js refuses it: ${message}` }], {
      cause: error,
    });
  }
}
