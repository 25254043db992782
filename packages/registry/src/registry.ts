import {
  AbortedError,
  ClosedError,
  ConflictError,
  type CoordClient,
  type KeyValue,
  NotFoundError,
  TimeoutError,
  type WaitOptions,
} from '@coord/client';
import {
  assertValid,
  type ClientInternals,
  checkKeyPart,
  checkPositiveMs,
  checkWaitOptions,
  type IssueList,
  internalsOf,
  monotonicNow,
  show,
  Wait,
} from '@coord/client/internal';
import { removeInstance } from './guarded-removal.js';
import { InstanceRegistration } from './instance-registration.js';
import { readKey } from './key-claim.js';
import { ServiceKeys } from './keys.js';
import { type ResolvedRegistryConfig, resolveRegistryConfig, type ServiceRegistryConfig } from './options.js';
import type { Registration } from './registration.js';
import { REGISTRY_INTERNALS, type RegistryInternals } from './registry-internals.js';
import {
  HEALTH_STATUSES,
  type HealthStatus,
  type ServiceInfo,
  type ServiceRegistration,
} from './service-info.js';
import { checkHealth, resolveRegistration } from './service-registration.js';
import { patchValue } from './service-value.js';
import { decodeAt, ServiceView } from './service-view.js';
import {
  type InstancesWatch,
  type RegistryStream,
  type ServiceWatch,
  watchInstanceList,
  watchService,
} from './service-watch.js';

export interface RegisterOptions extends WaitOptions {
  /** How long the instance outlives its process. @default the registry's `ttlMs` */
  readonly ttlMs?: number | undefined;
}

/** Which instances to return. */
export interface InstanceSelection {
  /** Only instances with this health. @default 'healthy' */
  readonly health?: HealthStatus | 'any' | undefined;
  /** Only instances for which this is true. */
  readonly filter?: ((service: ServiceInfo) => boolean) | undefined;
}

export interface DiscoverOptions extends InstanceSelection, WaitOptions {
  /**
   * `cached`: from the live local copy; goes on with the last known list while etcd is away.
   * `linearizable`: asks etcd, and fails when etcd is away.
   * @default 'cached'
   */
  readonly consistency?: 'cached' | 'linearizable' | undefined;
}

/** Registration and discovery of services. */
export interface ServiceRegistry extends AsyncDisposable {
  /**
   * Registers an instance and keeps it registered over any outage. An existing instance of the same id is
   * replaced; the earlier {@link Registration} becomes `superseded`. Without `timeoutMs` it tries for the
   * client's `requestTimeoutMs`; after a failure nothing stays behind, once etcd answers.
   * @throws {ValidationError} naming everything that is wrong
   */
  register(service: ServiceRegistration, options?: RegisterOptions): Promise<Registration>;
  /**
   * Takes an instance out. One that this registry registered is left alone when somebody else has replaced
   * it since; any other is removed, whoever registered it. Nothing there = nothing to do.
   */
  deregister(serviceName: string, instanceId: string, options?: WaitOptions): Promise<void>;
  /**
   * Like `deregister`, for an id that is unique among the services.
   * @throws {ConflictError} when several services have an instance of this id
   */
  unregister(instanceId: string, options?: WaitOptions): Promise<void>;
  /** The instances of a service: the healthy ones, unless told otherwise. Shows this client's own writes. */
  discover(serviceName: string, options?: DiscoverOptions): Promise<ServiceInfo[]>;
  /** Every change, the present instances first. @throws {ValidationError} for a bad name */
  watch(serviceName: string): ServiceWatch;
  /** The list at each change, the present one first; a slow consumer gets only the newest. */
  watchInstances(serviceName: string, selection?: InstanceSelection): InstancesWatch;
  /**
   * Sets the health of an instance, whoever registered it; it keeps its lease, so it still goes with its owner.
   * @throws {NotFoundError} when there is no such instance
   */
  updateHealth(
    serviceName: string,
    instanceId: string,
    status: HealthStatus,
    options?: WaitOptions,
  ): Promise<void>;
  /** The names of all services that have an instance. */
  listServices(options?: WaitOptions): Promise<string[]>;
  /**
   * Deregisters what this registry has registered and ends its watches. Idempotent; gives up after `timeoutMs`
   * (the client's `requestTimeoutMs`): what is left then goes with its lease.
   */
  close(options?: WaitOptions): Promise<void>;
}

/**
 * A registry over a client. No I/O until first use.
 * @throws {ValidationError} for bad options
 * @example
 * const registry = createRegistry(client);
 * const registration = await registry.register({ name: 'user-service', address: '10.0.0.1', port: 8080 });
 * const instances = await registry.discover('user-service');
 * await registration.deregister();
 */
export function createRegistry(client: CoordClient, options?: ServiceRegistryConfig): ServiceRegistry {
  return new EtcdRegistry(client, resolveRegistryConfig(options));
}

class EtcdRegistry implements ServiceRegistry {
  readonly #client: CoordClient;
  readonly #internals: ClientInternals;
  readonly #config: ResolvedRegistryConfig;
  readonly #keys: ServiceKeys;
  readonly #views = new Map<string, ServiceView>();
  readonly #streams = new Set<RegistryStream>();
  /** By key: the present registration, and earlier ones that were replaced and not yet deregistered. */
  readonly #registrations = new Map<string, Set<InstanceRegistration>>();
  readonly [REGISTRY_INTERNALS]: RegistryInternals;
  #closing: Promise<void> | undefined;

  constructor(client: CoordClient, config: ResolvedRegistryConfig) {
    this.#client = client;
    this.#internals = internalsOf(client);
    this.#config = config;
    this.#keys = new ServiceKeys(config.keyPrefix);
    this[REGISTRY_INTERNALS] = { view: (serviceName) => this.#view(serviceName) };
  }

  async register(service: ServiceRegistration, options?: RegisterOptions): Promise<Registration> {
    const issues = checkWaitOptions([], options);
    const { ttlMs = this.#config.ttlMs, signal, timeoutMs } = options ?? {};
    checkPositiveMs(issues, 'ttlMs', ttlMs);
    const info = resolveRegistration(service, issues);
    this.#assertOpen();
    const key = this.#keys.instance(info.name, info.id);
    const registration: InstanceRegistration = new InstanceRegistration(
      { client: this.#client, key, ttlMs, onEnd: () => this.#forget(key, registration) },
      info,
    );
    const known = this.#registrations.get(key) ?? new Set();
    this.#registrations.set(key, known.add(registration));
    try {
      await registration.start({ signal, timeoutMs });
    } catch (error) {
      this.#assertOpen(); // if close() has ended it, say so
      throw error;
    }
    if (this.#closing !== undefined) {
      await registration[Symbol.asyncDispose]();
      this.#assertOpen();
    }
    return registration;
  }

  async deregister(serviceName: string, instanceId: string, options?: WaitOptions): Promise<void> {
    const issues = checkInstance(serviceName, instanceId);
    assertValid(checkWaitOptions(issues, options));
    this.#assertOpen();
    await this.#deregister(this.#keys.instance(serviceName, instanceId), options);
  }

  async unregister(instanceId: string, options?: WaitOptions): Promise<void> {
    assertValid(checkWaitOptions(checkKeyPart([], 'instanceId', instanceId), options));
    this.#assertOpen();
    const own = [...this.#registrations.keys()].filter(
      (key) => this.#keys.parse(key)?.instanceId === instanceId,
    );
    const keys = own.length > 0 ? own : await this.#keysOf(instanceId, options);
    if (own.length === 0 && keys.length > 1) {
      const services = keys.map((key) => this.#keys.parse(key)?.serviceName).join(', ');
      throw new ConflictError(
        `instance ${show(instanceId)} exists in several services (${services}); use deregister(serviceName, instanceId)`,
        { key: keys.join(', ') },
      );
    }
    await Promise.all(keys.map((key) => this.#deregister(key, options)));
  }

  async discover(serviceName: string, given?: DiscoverOptions): Promise<ServiceInfo[]> {
    const issues = checkWaitOptions(checkKeyPart([], 'serviceName', serviceName), given);
    const options = given ?? {};
    const { consistency = 'cached' } = options;
    checkSelection(issues, options);
    if (consistency !== 'cached' && consistency !== 'linearizable') {
      issues.push({
        path: 'consistency',
        message: `must be cached or linearizable, got ${show(consistency)}`,
      });
    }
    assertValid(issues);
    this.#assertOpen();
    assertNotAborted('discover', options);
    if (consistency === 'cached') {
      const view = this.#view(serviceName);
      if (view.all === undefined) await this.#firstList(view, options);
      await view.settled(options);
      // The usual question has its answer ready.
      const usual = options.filter === undefined && (options.health ?? 'healthy') === 'healthy';
      return usual ? [...(view.healthy ?? [])] : select(view.all ?? [], options);
    }
    using wait = this.#wait(options, `discover ${show(serviceName)}`);
    try {
      return select(await this.#read(serviceName, wait.signal), options);
    } catch (error) {
      throw wait.errorFor(error);
    }
  }

  watch(serviceName: string): ServiceWatch {
    assertValid(checkKeyPart([], 'serviceName', serviceName));
    this.#assertOpen();
    return this.#track((onClose) => watchService(this.#client, this.#keys, serviceName, onClose));
  }

  watchInstances(serviceName: string, selection: InstanceSelection = {}): InstancesWatch {
    const issues = checkKeyPart([], 'serviceName', serviceName);
    if (typeof selection === 'object' && selection !== null) checkSelection(issues, selection);
    else issues.push({ path: 'selection', message: `must be an object, got ${show(selection)}` });
    assertValid(issues);
    this.#assertOpen();
    const view = this.#view(serviceName);
    return this.#track((onClose) =>
      watchInstanceList(view, (all) => Object.freeze(select(all, selection)), onClose),
    );
  }

  async updateHealth(
    serviceName: string,
    instanceId: string,
    status: HealthStatus,
    options?: WaitOptions,
  ): Promise<void> {
    const issues = checkHealth(checkInstance(serviceName, instanceId), 'status', status);
    assertValid(checkWaitOptions(issues, options));
    this.#assertOpen();
    const key = this.#keys.instance(serviceName, instanceId);
    const own = [...(this.#registrations.get(key) ?? [])].findLast(
      ({ state }) => state === 'registered' || state === 'recovering',
    );
    const startedAt = monotonicNow();
    if (own) await own.updateHealth(status, options);
    else await this.#patchHealth(key, status, options);
    const durationMs = Math.round(monotonicNow() - startedAt);
    this.#internals.logger.info('instance health updated', { key, status, durationMs });
  }

  async listServices(options?: WaitOptions): Promise<string[]> {
    assertValid(checkWaitOptions([], options));
    this.#assertOpen();
    const names = new Set<string>();
    for await (const { key } of this.#client.kv.list(
      { prefix: this.#keys.prefix },
      { ...options, keysOnly: true },
    )) {
      const parts = this.#keys.parse(key);
      if (parts) names.add(parts.serviceName);
    }
    return [...names].sort();
  }

  async close(options: WaitOptions = {}): Promise<void> {
    assertValid(checkWaitOptions([], options));
    assertNotAborted('close the registry', options);
    this.#closing ??= this.#close(options);
    await this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(options: WaitOptions): Promise<void> {
    const registrations = [...this.#registrations.values()].flatMap((known) => [...known]);
    await Promise.allSettled([
      ...registrations.map((registration) => registration.deregister(options)),
      ...[...this.#streams].map((stream) => stream.close()),
      ...[...this.#views.values()].map((view) => view.close()),
    ]);
    this.#views.clear();
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new ClosedError('the registry has been closed');
  }

  #view(serviceName: string): ServiceView {
    this.#assertOpen();
    const existing = this.#views.get(serviceName);
    if (existing !== undefined) return existing;
    const { logger } = this.#internals;
    const { emptyHoldMs } = this.#config;
    const view = new ServiceView({
      client: this.#client,
      keys: this.#keys,
      serviceName,
      emptyHoldMs,
      logger,
    });
    this.#views.set(serviceName, view);
    return view;
  }

  #track<S extends RegistryStream>(open: (onClose: () => void) => S): S {
    const onClose = () => {
      if (stream !== undefined) this.#streams.delete(stream);
    };
    let stream: S | undefined;
    stream = open(onClose);
    this.#streams.add(stream);
    return stream;
  }

  #forget(key: string, registration: InstanceRegistration): void {
    // A replaced one is remembered: deregistering it must not take out its successor.
    const known = this.#registrations.get(key);
    const replaced = registration.state === 'superseded' && known?.size === 1;
    if (!replaced) known?.delete(registration);
    if (known?.size === 0) this.#registrations.delete(key);
  }

  async #deregister(key: string, options: WaitOptions | undefined): Promise<void> {
    const own = this.#registrations.get(key);
    if (own !== undefined) {
      const present = [...own];
      await Promise.all(present.map((registration) => registration.deregister(options)));
      for (const registration of present) own.delete(registration);
      if (own.size === 0) this.#registrations.delete(key);
      return;
    }
    const startedAt = monotonicNow();
    using wait = this.#wait(options, `deregister ${key}`);
    let owner: { nonce: string | undefined; createRevision: bigint } | undefined;
    const isTheOneSeenFirst = (kv: KeyValue) => {
      const nonce = readKey(kv).instance?.author?.nonce;
      owner ??= { nonce, createRevision: kv.createRevision };
      return owner.createRevision === kv.createRevision && owner.nonce === nonce;
    };
    try {
      const outcome = await removeInstance(this.#client.kv, key, isTheOneSeenFirst, { signal: wait.signal });
      const durationMs = Math.round(monotonicNow() - startedAt);
      this.#internals.logger.info('instance deregistered', { key, outcome, durationMs });
    } catch (error) {
      throw wait.errorFor(error);
    }
  }

  async #firstList(view: ServiceView, options: WaitOptions): Promise<void> {
    using wait = this.#wait(options, `discover ${show(view.serviceName)}`);
    await view.listed(wait.signal);
  }

  async #keysOf(instanceId: string, options: WaitOptions | undefined): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.#client.kv.list(
      { prefix: this.#keys.prefix },
      { ...options, keysOnly: true },
    )) {
      if (this.#keys.parse(key)?.instanceId === instanceId) keys.push(key);
    }
    return keys;
  }

  async #read(serviceName: string, signal: AbortSignal): Promise<ServiceInfo[]> {
    const { logger } = this.#internals;
    const instances: ServiceInfo[] = [];
    for await (const kv of this.#client.kv.list({ prefix: this.#keys.service(serviceName) }, { signal })) {
      try {
        const instance = decodeAt(this.#keys, kv);
        if (instance && !instance.leaving) instances.push(instance.info);
      } catch (error) {
        logger.warn('value left out: it is no instance', { key: kv.key, error });
      }
    }
    return instances;
  }

  async #patchHealth(key: string, status: HealthStatus, options: WaitOptions | undefined): Promise<void> {
    using wait = this.#wait(options, `update the health of ${key}`);
    const call = { signal: wait.signal, idempotent: true };
    try {
      let kv = await this.#client.kv.get(key, call);
      for (;;) {
        const { instance } = kv ? readKey(kv) : { instance: undefined };
        if (kv === undefined || instance === undefined || instance.leaving) {
          throw new NotFoundError(`there is no instance at ${key}`, { key });
        }
        if (instance.info.health === status) return;
        const value = patchValue(kv, { health: status, ...(instance.author && { generation: 0 }) });
        const result = await this.#client.kv.txn(
          {
            compare: [{ key, target: 'mod', is: '=', to: kv.modRevision }],
            success: [{ put: { key, value, ignoreLease: true } }],
            failure: [{ get: key }],
          },
          call,
        );
        if (result.succeeded) return;
        const read = result.responses[0];
        kv = read?.type === 'get' ? read.kvs[0] : undefined;
      }
    } catch (error) {
      throw wait.errorFor(error);
    }
  }

  #wait(options: WaitOptions | undefined, what: string): Wait {
    const { requestTimeoutMs } = this.#internals.options;
    const timeoutMs = options?.timeoutMs ?? requestTimeoutMs;
    return new Wait(
      { signal: options?.signal, timeoutMs },
      what,
      (ms) => new TimeoutError(`${what}: etcd did not answer within ${ms} ms`, { timeoutMs: ms }),
    );
  }
}

function assertNotAborted(what: string, { signal }: WaitOptions): void {
  if (signal?.aborted) throw new AbortedError(`${what}: aborted by the caller`, { cause: signal.reason });
}

function checkInstance(serviceName: string, instanceId: string): IssueList {
  return checkKeyPart(checkKeyPart([], 'serviceName', serviceName), 'instanceId', instanceId);
}

function checkSelection(issues: IssueList, { health, filter }: InstanceSelection): IssueList {
  if (health !== undefined && health !== 'any' && !HEALTH_STATUSES.includes(health)) {
    issues.push({
      path: 'health',
      message: `must be any, or one of ${HEALTH_STATUSES.join(', ')}, got ${show(health)}`,
    });
  }
  if (filter !== undefined && typeof filter !== 'function') {
    issues.push({ path: 'filter', message: `must be a function, got ${show(filter)}` });
  }
  return issues;
}

function select(
  instances: readonly ServiceInfo[],
  { health = 'healthy', filter = () => true }: InstanceSelection,
): ServiceInfo[] {
  return instances.filter((service) => (health === 'any' || service.health === health) && filter(service));
}
