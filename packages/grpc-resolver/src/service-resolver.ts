import { isDeepStrictEqual } from 'node:util';
import { type ServiceInfo, subsetOf } from '@coord/registry';
import { formatHostPort, type LiveService } from '@coord/registry/internal';
import type { LiveServiceConfig } from './channel-service-config.js';
import type { ResolvedFollowOptions } from './follow-options.js';
import type { Address, NameResolver, ResultSink, ServiceConfigJson } from './grpc-adapter.js';
import { LETTING_GO } from './letting-go.js';
import { isPolicyName } from './policy-settings.js';
import type { UpdateCounter } from './update-counter.js';

/**
 * grpc-js asks again after every failure, and takes each answer as a reason to stop its own backoff: the
 * resolver is the only brake. An immediate answer would make it spin, none would make it hang.
 */
const MIN_REPEAT_MS = 200;

export interface ServiceResolverOptions {
  readonly serviceName: string;
  /** The live list; asked for anew when the last one has failed. @throws when the registry is closed */
  readonly open: () => LiveService;
  readonly sink: ResultSink;
  readonly follow: ResolvedFollowOptions;
  /** Goes to the channel with every result. */
  readonly config: LiveServiceConfig;
  readonly updates?: UpdateCounter | undefined;
}

/** Follows one service for one channel. */
export class ServiceResolver implements NameResolver {
  readonly #options: ServiceResolverOptions;
  #service: LiveService | undefined;
  #unsubscribe: (() => void) | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #repeatTimer: NodeJS.Timeout | undefined;
  #patienceTimer: NodeJS.Timeout | undefined;
  #outOfPatience = false;
  #lastEmitMs = Number.NEGATIVE_INFINITY;
  /** The addresses of the last result, by `host:port`. */
  #emitted: ReadonlyMap<string, Address> = new Map();
  /** The config of the last result. */
  #emittedConfig: ServiceConfigJson | undefined;

  constructor(options: ServiceResolverOptions) {
    this.#options = options;
  }

  resolve(): void {
    this.#follow();
    if (this.#immediate !== undefined || this.#repeatTimer !== undefined) return;
    const waitMs = this.#lastEmitMs + MIN_REPEAT_MS - performance.now();
    if (waitMs <= 0) {
      this.#emitSoon();
    } else {
      this.#repeatTimer = setTimeout(() => this.#emit(), waitMs);
      this.#repeatTimer.unref();
    }
  }

  stop(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#service = undefined;
    this.#options.config.stop();
    this.#cancelEmit();
    clearTimeout(this.#patienceTimer);
    this.#patienceTimer = undefined;
    this.#outOfPatience = false;
    this.#lastEmitMs = Number.NEGATIVE_INFINITY;
    this.#emitted = new Map();
    this.#emittedConfig = undefined;
  }

  #follow(): void {
    this.#options.config.start(() => this.#emitSoon());
    if (this.#service !== undefined && this.#service.failure === undefined) return;
    this.#unsubscribe?.();
    try {
      this.#service = this.#options.open();
      this.#unsubscribe = this.#service.subscribe(() => this.#changed());
    } catch {
      // The registry is closed: the channel keeps what it has, and learns the reason below.
    }
    if (this.#patienceTimer !== undefined || this.#outOfPatience) return;
    this.#patienceTimer = setTimeout(() => {
      this.#outOfPatience = true;
      if (this.#service?.healthy === undefined) this.#emitSoon();
    }, this.#options.follow.patienceMs);
    this.#patienceTimer.unref();
  }

  /** Policies of grpc-js rebuild all they have for each list, so they are spared one that tells them nothing. */
  #changed(): void {
    const now = this.#service?.healthy;
    if (
      now === undefined ||
      this.#emitted.size === 0 ||
      !sameAddresses(this.#addressesOf(now), this.#emitted)
    ) {
      this.#emitSoon();
    }
  }

  /** In a turn of its own: never within a call of grpc-js, and once for all changes of one turn. */
  #emitSoon(): void {
    clearTimeout(this.#repeatTimer);
    this.#repeatTimer = undefined;
    this.#immediate ??= setImmediate(() => this.#emit());
  }

  #cancelEmit(): void {
    clearTimeout(this.#repeatTimer);
    this.#repeatTimer = undefined;
    clearImmediate(this.#immediate);
    this.#immediate = undefined;
  }

  #emit(): void {
    this.#cancelEmit();
    const { sink, serviceName, config } = this.#options;
    const service = this.#service;
    const instances = service?.healthy;
    if (service === undefined || instances === undefined) {
      const hopeless = service === undefined || service.failure !== undefined || service.closed;
      // Still unknown: say nothing, so that calls wait, but not for ever.
      if (!hopeless && !this.#outOfPatience) return;
      this.#lastEmitMs = performance.now();
      const reason = service === undefined || service.closed ? 'its registry is closed' : describe(service);
      this.#options.updates?.add('unavailable');
      sink.unavailable(`service "${serviceName}": ${reason}`, config.current);
      return;
    }
    if (!config.settled) return; // calls are to go by it from the first on
    this.#lastEmitMs = performance.now();
    this.#emitAddresses(this.#addressesOf(instances), `service "${serviceName}": ${service.describe()}`);
  }

  /** One for each address, however many ids it is registered under: the weightiest counts. */
  #addressesOf(instances: readonly ServiceInfo[]): Map<string, Address> {
    const { subset } = this.#options.follow;
    const addresses = new Map<string, Address>();
    const chosen = subset === undefined ? instances : subsetOf(instances, subset);
    for (const { address: host, port, weight, zone } of chosen) {
      const key = formatHostPort(host, port);
      const known = addresses.get(key);
      if (known === undefined || known.weight < weight) addresses.set(key, { host, port, weight, zone });
    }
    return addresses;
  }

  #emitAddresses(present: ReadonlyMap<string, Address>, note: string): void {
    const { sink, config } = this.#options;
    const before = this.#emittedConfig ?? config.current;
    const removed = [...this.#emitted.keys()].some((address) => !present.has(address));
    const letsGo = samePolicies(before, config.current) && letsGoAtOnce(config.current.loadBalancingConfig);
    this.#emitted = present;
    this.#emittedConfig = config.current;
    const clearing = { ...config.current, loadBalancingConfig: [{ round_robin: {} }] };
    const addresses = [...present.values()];
    this.#options.updates?.add(addresses.length === 0 ? 'empty' : 'addresses');
    if (addresses.length === 0) {
      // First let go of every address, then say why: an empty list alone would leave calls waiting.
      const last = letsGo ? config.current : clearing;
      sink.addresses([], note, last);
      sink.unavailable(`${note}; there is no healthy instance to call`, last);
      return;
    }
    if (removed && !letsGo)
      sink.addresses([], note, { ...config.current, loadBalancingConfig: [{ [LETTING_GO]: {} }] });
    sink.addresses(addresses, note, config.current);
  }
}

function describe(service: LiveService): string {
  const { failure } = service;
  return failure instanceof Error ? `${service.describe()} (${failure.message})` : service.describe();
}

function sameAddresses(a: ReadonlyMap<string, Address>, b: ReadonlyMap<string, Address>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, { weight, zone }] of a) {
    const other = b.get(key);
    if (other === undefined || other.weight !== weight || other.zone !== zone) return false;
  }
  return true;
}

/** A policy that takes another's place lets that go on with the old addresses until it has connections of its own. */
function samePolicies(a: ServiceConfigJson, b: ServiceConfigJson): boolean {
  return isDeepStrictEqual(a.loadBalancingConfig, b.loadBalancingConfig);
}

/**
 * Whether the policy gives up an address as soon as a list without it arrives. pick_first goes on calling it until
 * it has connected to another one, for ever when there is none. A moment under another policy makes it let go;
 * connections that are still wanted survive that.
 */
function letsGoAtOnce(policies: unknown): boolean {
  const [policy] = Array.isArray(policies) ? policies : [];
  if (typeof policy !== 'object' || policy === null) return false;
  const [[name, settings] = []] = Object.entries<unknown>(policy);
  if (name === undefined) return false;
  if (name === 'outlier_detection') return letsGoAtOnce(Reflect.get(Object(settings), 'child_policy'));
  return name === 'round_robin' || name === 'weighted_round_robin' || isPolicyName(name);
}
