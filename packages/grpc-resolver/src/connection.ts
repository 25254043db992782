import { ClosedError, ValidationError, type WaitOptions } from '@coord/client';
import { assertValid, checkKeyPart, type IssueList, show, Wait } from '@coord/client/internal';
import type { ServiceRegistry } from '@coord/registry';
import { registryInternalsOf } from '@coord/registry/internal';
import * as defaultGrpc from '@grpc/grpc-js';
import { type ChannelServiceConfig, channelConfig } from './channel-service-config.js';
import { checkGrpc } from './check-grpc.js';
import { checkServiceConfig } from './check-service-config.js';
import type { GrpcModule, ServiceConfigJson } from './grpc-adapter.js';
import { withDefaults } from './merge-service-config.js';
import { Scheme, sourceOf, sourceOptions } from './scheme.js';
import type { ServiceConfig } from './service-config.js';
import type { ServiceConfigStatus } from './service-config-status.js';
import { type LoadBalanceStrategy, policyOf, STRATEGIES } from './strategy.js';
import { targetOf } from './target.js';

export interface ConnectionOptions {
  /** @default 'round_robin' */
  readonly strategy?: LoadBalanceStrategy | undefined;
  /** Instances of this zone are preferred, while they can carry the load. Not with grpc-js's own strategies, nor `ring_hash`. */
  readonly zone?: string | undefined;
  /** For `ring_hash`: calls with the same value of this metadata key go to the same instance. */
  readonly hashKey?: string | undefined;
  /** @default insecure */
  readonly credentials?: defaultGrpc.ChannelCredentials | undefined;
  /** Further options of the channel; `grpc.service_config` goes into `serviceConfig` instead. */
  readonly channelOptions?: defaultGrpc.ChannelOptions | undefined;
  /**
   * A service config (timeouts, retries…), as JSON; `strategy` and `retry` are merged into it. What it says goes
   * before what is stored beside the service. With a `healthCheckConfig` each server is asked for its health by
   * grpc.health.v1, under that name ('' = the server as a whole).
   */
  readonly serviceConfig?:
    | (ServiceConfig & { readonly healthCheckConfig?: { readonly serviceName: string } | undefined })
    | undefined;
  /**
   * Repeat calls that fail with UNAVAILABLE, up to 4 attempts, where no service config says how to repeat them. It
   * may repeat calls that were processed. @default false
   */
  readonly retry?: boolean | undefined;
  /** The copy of `@grpc/grpc-js` to use, if it is not the one this package finds. */
  readonly grpc?: GrpcModule | undefined;
  /** How long a call waits for the first answer of etcd before it fails as UNAVAILABLE. @default 5_000 */
  readonly patienceMs?: number | undefined;
}

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
  /** The service config that calls go by now, and a stored one that was found wrong. */
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
const DEFAULT_PATIENCE_MS = 5_000;

/**
 * A connection to a service that follows its instances. No `registerResolver` is needed. It does not wait
 * for an instance: `waitForReady` does.
 * @throws {ValidationError} naming everything that is wrong
 * @example
 * const connection = await getConnection(registry, 'user-service', { retry: true });
 * const users = connection.client(UserServiceClient);
 */
export async function getConnection(
  registry: ServiceRegistry,
  serviceName: string,
  options: ConnectionOptions = {},
): Promise<ServiceConnection> {
  check(registry, serviceName, options);
  const { patienceMs = DEFAULT_PATIENCE_MS, grpc = defaultGrpc, channelOptions = {} } = options;
  const target = targetOf(SCHEME, serviceName);
  const credentials = options.credentials ?? grpc.credentials.createInsecure();
  const { own, complete } = wishesOf(options);
  const source = sourceOf(registry, patienceMs);
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

/** What the options say about calls, and what goes where neither they nor the stored config say anything. */
function wishesOf(options: ConnectionOptions) {
  const { strategy, serviceConfig = {}, retry = false } = options;
  const chosen = strategy === undefined ? {} : { loadBalancingConfig: [policyOf(options)] };
  return {
    own: { ...chosen, ...serviceConfig },
    complete: (config: ServiceConfigJson) => withDefaults(config, { round_robin: {} }, retry),
  };
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
    return new ctor(this.target, this.#parts.credentials, { channelOverride: this.channel });
  }

  async waitForReady(options: WaitOptions = {}): Promise<void> {
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

const STATE_WATCH_MS = 500;

function check(registry: ServiceRegistry, serviceName: string, options: ConnectionOptions): void {
  const issues = checkKeyPart([], 'serviceName', serviceName);
  if (registryInternalsOf(registry) === undefined) {
    issues.push({ path: 'registry', message: 'must be made by createRegistry()' });
  }
  if (!checkObject(issues, 'options', options)) assertValid(issues);
  const {
    strategy,
    serviceConfig,
    channelOptions,
    credentials,
    retry,
    patienceMs,
    grpc = defaultGrpc,
  } = options;
  if (strategy !== undefined && !STRATEGIES.includes(strategy)) {
    issues.push({
      path: 'strategy',
      message: `must be one of ${STRATEGIES.join(', ')}, got ${show(strategy)}`,
    });
  }
  checkObject(issues, 'serviceConfig', serviceConfig);
  checkObject(issues, 'channelOptions', channelOptions);
  for (const path of ['strategy', 'zone', 'hashKey'] as const) {
    if (options[path] === undefined || serviceConfig?.loadBalancingConfig === undefined) continue;
    issues.push({ path, message: `give either a ${path} or serviceConfig.loadBalancingConfig` });
  }
  if (channelOptions?.['grpc.service_config'] !== undefined) {
    issues.push({
      path: 'channelOptions["grpc.service_config"]',
      message: 'give it as serviceConfig instead',
    });
  }
  if (retry !== undefined && typeof retry !== 'boolean') {
    issues.push({ path: 'retry', message: `must be true or false, got ${show(retry)}` });
  }
  if (
    patienceMs !== undefined &&
    (typeof patienceMs !== 'number' || !(patienceMs > 0) || patienceMs > 2 ** 31 - 1)
  ) {
    issues.push({
      path: 'patienceMs',
      message: `must be a positive number of milliseconds, got ${show(patienceMs)}`,
    });
  }
  checkGrpc(issues, grpc);
  if (credentials !== undefined && !(credentials instanceof grpc.ChannelCredentials)) {
    const message =
      'are not made by the @grpc/grpc-js in use: there are two copies of it; pass the one that you use as `grpc`';
    issues.push({ path: 'credentials', message });
  }
  assertValid(issues);
  policyOf(options);
  Scheme.of(grpc, SCHEME); // which knows our policies
  const { healthCheckConfig: _read, ...rest } = serviceConfig ?? {};
  checkServiceConfig(issues, grpc, 'serviceConfig', rest);
  assertValid(issues);
}

/** @returns whether it is one, or absent */
function checkObject(issues: IssueList, path: string, value: unknown): boolean {
  const valid = value === undefined || (typeof value === 'object' && value !== null && !Array.isArray(value));
  if (!valid) issues.push({ path, message: `must be an object, got ${show(value)}` });
  return valid;
}

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
