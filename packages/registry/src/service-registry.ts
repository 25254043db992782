import type { WaitOptions } from '@coord/client';
import type { DrainOptions } from './drain-options.js';
import type { HealthCheck } from './health-check.js';
import type { InstanceSelection } from './instance-selection.js';
import type { InstancesWatch } from './instances-watch.js';
import type { Registration } from './registration.js';
import type { HealthStatus, ServiceInfo, ServiceRegistration } from './service-info.js';
import type { ServiceStatus } from './service-status.js';
import type { ServiceWatch } from './service-watch.js';

export interface RegisterOptions extends WaitOptions {
  /** How long the instance outlives its process. @default the registry's `ttlMs` */
  readonly ttlMs?: number | undefined;
  /**
   * How this process finds out how the instance is, every `healthCheckIntervalMs`, when the registry has
   * `enableHealthCheck`. It sets the health to `unhealthy` and back to `healthy`; `maintenance` it leaves alone.
   * Register with `health: 'unknown'` to be called only after the first checks. @default none
   */
  readonly check?: HealthCheck | undefined;
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
   * Takes an instance out, whoever registered it. Nothing there = nothing to do. An id that this registry has
   * registered means that registration: a successor which has taken the id over elsewhere is left alone, however
   * often this is called, until the id is registered here again.
   */
  deregister(serviceName: string, instanceId: string, options?: WaitOptions): Promise<void>;
  /**
   * Like `deregister`, for an id that is unique among the services.
   * @throws {ConflictError} when several services have an instance of this id
   */
  unregister(instanceId: string, options?: WaitOptions): Promise<void>;
  /**
   * Drains all that this registry has registered, at once: see {@link Registration.drain}. For the end of a process;
   * `close()` afterwards has nothing left to wait for. See `drainOnSignal` for doing so on SIGTERM.
   * @throws {TimeoutError | AbortedError} when it was not done in time; the instances leave all the same
   */
  drain(options?: DrainOptions): Promise<void>;
  /**
   * The instances of a service: the healthy ones, unless told otherwise. Shows this client's own writes. Cached, it
   * waits for etcd only the first time, and from then on goes on with the last list it knew.
   * @throws {ValidationError} for a bad name or selection
   * @throws {TimeoutError | ConnectionError} when etcd does not answer in `timeoutMs` (the client's `requestTimeoutMs`)
   * @example
   * const instances = await registry.discover('user-service', { zone: 'eu-1', tags: ['canary'] });
   */
  discover(serviceName: string, options?: DiscoverOptions): Promise<ServiceInfo[]>;
  /**
   * How far the list that cached `discover` and `watchInstances` give can be relied on: live or not, how old, of
   * which revision. Undefined until a list is known: this asks nobody.
   * @throws {ValidationError} for a bad name
   * @example
   * const instances = await registry.discover('user-service');
   * const { source, ageMs } = registry.status('user-service') ?? {};
   * if (source !== 'live') console.warn(`${instances.length} instances, ${ageMs} ms old`);
   */
  status(serviceName: string): ServiceStatus | undefined;
  /**
   * Every change, the present instances first. What a slow consumer has not taken is bounded: of an instance that
   * changes on and on it then sees the newest state alone.
   * @throws {ValidationError} for a bad name
   */
  watch(serviceName: string): ServiceWatch;
  /** The list at each change, the present one first; a slow consumer gets only the newest. */
  watchInstances(serviceName: string, selection?: InstanceSelection): InstancesWatch;
  /**
   * Sets the health of an instance, whoever registered it; it keeps its lease, so it still goes with its owner.
   * @throws {NotFoundError} when there is no such instance
   * @throws {ConflictError} when this registry has registered it, and somebody else has taken it over since
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
