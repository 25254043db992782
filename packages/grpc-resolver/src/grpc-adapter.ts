/**
 * Name resolvers for grpc-js. Here and in the balancer `grpc.experimental` is used, which "may break in any
 * minor version update": hence the peer dependency on `~1.14.5`.
 */
import type * as Grpc from '@grpc/grpc-js';

/** A loaded copy of `@grpc/grpc-js`, imported as a namespace or as the default. */
export type GrpcModule = Omit<typeof Grpc, 'default'>;

export interface Address {
  readonly host: string;
  readonly port: number;
  /** For the balancing policies that heed them. */
  readonly weight: number;
  readonly zone: string | undefined;
}

/** What a channel asks a name resolver to resolve. */
export interface Target {
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
}

/** A JSON service config, as users write it. */
export type ServiceConfigJson = Readonly<Record<string, unknown>>;

/** Where a resolver's results go: one channel. */
export interface ResultSink {
  /** The addresses; the config replaces the channel's own. */
  addresses(addresses: readonly Address[], note: string, config: ServiceConfigJson): void;
  /** Calls fail with UNAVAILABLE and this text. A channel that has addresses keeps them. */
  unavailable(details: string, config: ServiceConfigJson): void;
}

/** A name resolver, free of grpc-js's types. */
export interface NameResolver {
  /** The channel wants a result, soon but not within this call. Also revives a stopped resolver. */
  resolve(): void;
  stop(): void;
}

export interface NameResolverFactory {
  /** @param options the channel's, symbol keys included */
  create(target: Target, sink: ResultSink, options: Grpc.ChannelOptions): NameResolver;
  /** The `:authority` of calls. */
  authority(target: Target): string;
}

/** Teaches this copy of grpc-js a scheme; there is no way to unteach it. */
export function registerScheme(grpc: GrpcModule, scheme: string, factory: NameResolverFactory): void {
  const { experimental } = grpc;

  class SchemeResolver implements Grpc.experimental.Resolver {
    readonly #resolver: NameResolver;

    static getDefaultAuthority(target: Grpc.experimental.GrpcUri): string {
      return factory.authority(fromUri(target));
    }

    constructor(
      target: Grpc.experimental.GrpcUri,
      listener: Grpc.experimental.ResolverListener,
      options: Grpc.ChannelOptions,
    ) {
      this.#resolver = factory.create(fromUri(target), sinkOf(grpc, listener), options);
    }

    updateResolution(): void {
      this.#resolver.resolve();
    }

    destroy(): void {
      this.#resolver.stop();
    }
  }

  experimental.registerResolver(scheme, SchemeResolver);
}

function fromUri({ scheme = '', authority = '', path }: Grpc.experimental.GrpcUri): Target {
  return { scheme, authority, path };
}

function sinkOf(grpc: GrpcModule, listener: Grpc.experimental.ResolverListener): ResultSink {
  const { statusOrFromValue, statusOrFromError } = grpc.experimental;
  const wrap = (config: ServiceConfigJson) => statusOrFromValue(toServiceConfig(grpc, config));
  return {
    addresses(addresses, note, config) {
      // What is beside the address reaches the policies, but not the keys that connections are shared by.
      const endpoints = addresses.map(({ host, port, weight, zone }) => ({
        addresses: [{ host, port }],
        weight,
        zone,
      }));
      listener(statusOrFromValue(endpoints), {}, wrap(config), note);
    },
    unavailable(details, config) {
      const status = { code: grpc.status.UNAVAILABLE, details, metadata: new grpc.Metadata() };
      listener(statusOrFromError(status), {}, wrap(config), details);
    },
  };
}

type ServiceConfig = Parameters<Grpc.experimental.ResolverListener>[2] extends infer R
  ? R extends { ok: true; value: infer C }
    ? C
    : never
  : never;

/**
 * A resolver's service config is used as it is, not validated or converted like a channel's. The JSON has been
 * validated already; only its timeouts are still text. (Of a channel's own config grpc-js 1.14.7 takes the digits
 * behind the point for nanoseconds, so that "0.3s" ends calls at once: one more reason to give it ours.)
 */
function toServiceConfig(grpc: GrpcModule, json: ServiceConfigJson): ServiceConfig {
  const methods = Array.isArray(json.methodConfig) ? json.methodConfig : [];
  return {
    ...json,
    loadBalancingConfig: Array.isArray(json.loadBalancingConfig) ? json.loadBalancingConfig : [],
    methodConfig: methods.map((method) =>
      typeof method.timeout === 'string'
        ? { ...method, timeout: grpc.experimental.parseDuration(method.timeout) ?? undefined }
        : method,
    ),
  };
}

/** Whether this is a grpc-js whose experimental interface is the one used here. */
export function isSupportedGrpc(grpc: unknown): grpc is GrpcModule {
  if (typeof grpc !== 'object' || grpc === null || !('experimental' in grpc)) return false;
  const { experimental } = grpc;
  const needed = ['registerResolver', 'registerLoadBalancerType', 'LeafLoadBalancer', 'statusOrFromValue'];
  return needed.every((name) => typeof Reflect.get(Object(experimental), name) === 'function');
}
