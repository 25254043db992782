import { ValidationError } from '@coord/client';
import { assertValid, type IssueList } from '@coord/client/internal';
import type { ServiceRegistry } from '@coord/registry';
import { type RegistryInternals, registryInternalsOf } from '@coord/registry/internal';
import type { ChannelOptions } from '@grpc/grpc-js';
import { channelConfig, type LiveServiceConfig } from './channel-service-config.js';
import { checkPolicies } from './check-policies.js';
import { type FollowOptions, type ResolvedFollowOptions, resolveFollowOptions } from './follow-options.js';
import { type GrpcModule, registerScheme, type ServiceConfigJson, type Target } from './grpc-adapter.js';
import { registerPolicies } from './register-policies.js';
import { ServiceResolver } from './service-resolver.js';
import { authorityOf, serviceNameOf } from './target.js';
import { UpdateCounter } from './update-counter.js';

/** Which registry a target is resolved by, and how. */
export interface ResolverSource {
  readonly registry: RegistryInternals;
  readonly follow: ResolvedFollowOptions;
  /** For one channel only: what its calls go by. @default what the channel's own options say, over what is stored */
  readonly config?: LiveServiceConfig | undefined;
}

/**
 * The channel option that names the source. A symbol: it reaches the resolver, but neither the keys
 * that grpc-js shares connections by, nor its JSON traces.
 */
const SOURCE: unique symbol = Symbol.for('@coord/grpc-resolver.source');

/** The channel options that tie a channel to a source. */
export function sourceOptions(source: ResolverSource): ChannelOptions {
  // An HTTP proxy (from the environment) would bypass our resolver, and never see the service's name.
  const options = { 'grpc.enable_http_proxy': 0, [SOURCE]: source };
  return options;
}

/** @throws {ClosedError} when the registry is closed */
export function sourceOf(registry: ServiceRegistry, options: FollowOptions): ResolverSource {
  const internals = registryInternalsOf(registry);
  if (internals === undefined) {
    throw new ValidationError([{ path: 'registry', message: 'must be made by createRegistry()' }]);
  }
  internals.assertOpen();
  return { registry: internals, follow: resolveFollowOptions(options) };
}

/** A scheme that one copy of grpc-js has been taught: the sources behind it, by authority ('' = default). */
export class Scheme {
  readonly name: string;
  readonly sources = new Map<string, ResolverSource>();

  private constructor(grpc: GrpcModule, name: string) {
    this.name = name;
    registerPolicies(grpc);
    registerScheme(grpc, name, {
      create: (target, sink, options) => {
        const { registry, follow, ...source } = this.#source(target, options);
        const serviceName = serviceNameOf(target);
        const config = source.config ?? channelConfig(grpc, registry, serviceName, configOf(grpc, options));
        const { meter } = registry.telemetry;
        return new ServiceResolver({
          serviceName,
          open: () => registry.view(serviceName),
          sink,
          follow,
          config,
          updates: meter && new UpdateCounter(meter),
        });
      },
      authority: authorityOf,
    });
  }

  /** Schemes cannot be unlearnt, so each is taught once per copy of grpc-js. */
  static of(grpc: GrpcModule, name: string): Scheme {
    const known = SCHEMES.get(grpc.experimental) ?? new Map<string, Scheme>();
    SCHEMES.set(grpc.experimental, known);
    const scheme = known.get(name) ?? new Scheme(grpc, name);
    known.set(name, scheme);
    return scheme;
  }

  /** Whether this copy of grpc-js has been taught the scheme. */
  static isKnownTo({ experimental }: Pick<GrpcModule, 'experimental'>, name: string): boolean {
    return SCHEMES.get(experimental)?.has(name) ?? false;
  }

  #source(target: Target, options: ChannelOptions): ResolverSource {
    const source = optionSource(options) ?? this.sources.get(target.authority);
    if (source !== undefined) return source;
    const registered = [...this.sources.keys()].map((name) => `${this.name}://${name}/…`).join(', ');
    const message = `nothing is registered for ${this.name}://${target.authority}/…; registered: ${registered || 'nothing'}`;
    throw new ValidationError([{ path: 'target', message }]);
  }
}

/** By something that a copy has once, whether it was imported as a namespace, as the default, or required. */
const SCHEMES = new WeakMap<object, Map<string, Scheme>>();

function optionSource(options: ChannelOptions): ResolverSource | undefined {
  return Reflect.get(options, SOURCE);
}

/** The channel's service config; for the rest, grpc-js has its say about a broken one when it makes the channel. */
function configOf(grpc: GrpcModule, options: ChannelOptions): ServiceConfigJson {
  const config = parsed(options['grpc.service_config'] ?? '{}');
  const issues: IssueList = [];
  const path = 'serviceConfig';
  if (config.loadBalancingPolicy !== undefined) {
    const message = 'is ignored by grpc-js; give loadBalancingConfig instead';
    issues.push({ path: `${path}.loadBalancingPolicy`, message });
  }
  const { loadBalancingConfig: policies } = config;
  // An empty list is as good as none.
  if (Array.isArray(policies) && policies.length > 0) {
    checkPolicies(issues, grpc, `${path}.loadBalancingConfig`, policies);
  }
  assertValid(issues);
  return config;
}

function parsed(text: string): ServiceConfigJson {
  try {
    const config: unknown = JSON.parse(text);
    return typeof config === 'object' && config !== null ? { ...config } : {};
  } catch {
    return {};
  }
}
