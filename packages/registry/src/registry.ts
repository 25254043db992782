import type { CoordClient, WaitOptions } from '@coord/client';
import { assertValid, checkWaitOptions, type Observer, type Subject } from '@coord/client/internal';
import { Discovery } from './discovery.js';
import type { DrainOptions } from './drain-options.js';
import type { InstanceSelection } from './instance-selection.js';
import type { InstancesWatch } from './instances-watch.js';
import { assertNotAborted } from './not-aborted.js';
import { type ResolvedRegistryConfig, resolveRegistryConfig, type ServiceRegistryConfig } from './options.js';
import type { Registration } from './registration.js';
import { Registrations } from './registrations.js';
import { RegistryContext } from './registry-context.js';
import { REGISTRY_INTERNALS, type RegistryInternals } from './registry-internals.js';
import {
  about,
  aboutNew,
  DEREGISTER,
  DISCOVER,
  DRAIN,
  LIST_SERVICES,
  observedRegistration,
  REGISTER,
  UNREGISTER,
  UPDATE_HEALTH,
} from './registry-operations.js';
import { ServiceConfigStore } from './service-config-store.js';
import type { HealthStatus, ServiceInfo, ServiceRegistration } from './service-info.js';
import type { DiscoverOptions, RegisterOptions, ServiceRegistry } from './service-registry.js';
import type { ServiceStatus } from './service-status.js';
import type { ServiceWatch } from './service-watch.js';

/**
 * A registry over a client. No I/O until first use.
 * @throws {ValidationError} for bad options
 * @example
 * ```ts
 * import { connect } from '@coord/client';
 * import { createRegistry } from '@coord/registry';
 *
 * const client = await connect({ endpoints: ['127.0.0.1:2379'] });
 * const registry = createRegistry(client);
 * const registration = await registry.register({ name: 'user-service', address: '10.0.0.1', port: 8080 });
 * console.log(await registry.discover('user-service'));
 * await registration.deregister();
 * await registry.close();
 * await client.close();
 * ```
 */
export function createRegistry(client: CoordClient, options?: ServiceRegistryConfig): ServiceRegistry {
  return new EtcdRegistry(client, resolveRegistryConfig(options));
}

/** The two halves of a registry behind one face, ended together. */
class EtcdRegistry implements ServiceRegistry {
  readonly #context: RegistryContext;
  readonly #observer: Observer;
  readonly #registrations: Registrations;
  readonly #discovery: Discovery;
  readonly #serviceConfigs: ServiceConfigStore;
  readonly [REGISTRY_INTERNALS]: RegistryInternals;
  #closing: Promise<void> | undefined;

  constructor(client: CoordClient, config: ResolvedRegistryConfig) {
    this.#context = new RegistryContext(client, config);
    this.#observer = this.#context.telemetry.operations;
    this.#registrations = new Registrations(this.#context);
    this.#discovery = new Discovery(this.#context);
    this.#serviceConfigs = new ServiceConfigStore(this.#context);
    this[REGISTRY_INTERNALS] = {
      assertOpen: () => this.#context.assertOpen(),
      logger: this.#context.logger,
      telemetry: this.#context.telemetry,
      view: (serviceName) => this.#discovery.keptView(serviceName),
      serviceConfigs: this.#serviceConfigs,
    };
  }

  async register(service: ServiceRegistration, options?: RegisterOptions): Promise<Registration> {
    this.#context.assertWritable();
    const { keys } = this.#context;
    const observer = this.#observer;
    const registration = await observer.observe(
      REGISTER,
      aboutNew(keys, service),
      () => this.#registrations.register(service, options),
      ({ service: { name, id } }) => about(keys, name, id),
    );
    return observedRegistration(registration, observer, keys);
  }

  async deregister(serviceName: string, instanceId: string, options?: WaitOptions): Promise<void> {
    this.#context.assertWritable();
    return await this.#observer.observe(DEREGISTER, about(this.#context.keys, serviceName, instanceId), () =>
      this.#registrations.deregister(serviceName, instanceId, options),
    );
  }

  async unregister(instanceId: string, options?: WaitOptions): Promise<void> {
    this.#context.assertWritable();
    return await this.#observer.observe(UNREGISTER, about(this.#context.keys, undefined, instanceId), () =>
      this.#registrations.unregister(instanceId, options),
    );
  }

  async updateHealth(
    serviceName: string,
    instanceId: string,
    status: HealthStatus,
    options?: WaitOptions,
  ): Promise<void> {
    this.#context.assertWritable();
    return await this.#observer.observe(
      UPDATE_HEALTH,
      about(this.#context.keys, serviceName, instanceId),
      () => this.#registrations.updateHealth(serviceName, instanceId, status, options),
    );
  }

  drain(options?: DrainOptions): Promise<void> {
    return this.#observer.observe(DRAIN, {}, () => this.#registrations.drain(options));
  }

  discover(serviceName: string, options?: DiscoverOptions): Promise<ServiceInfo[]> {
    if (!this.#observer.active) return this.#discovery.discover(serviceName, options);
    const discover = () => this.#discovery.discover(serviceName, options);
    return this.#observer.observe(DISCOVER, about(this.#context.keys, serviceName), discover, countOf);
  }

  status(serviceName: string): ServiceStatus | undefined {
    return this.#discovery.status(serviceName);
  }

  watch(serviceName: string): ServiceWatch {
    return this.#discovery.watch(serviceName);
  }

  watchInstances(serviceName: string, selection?: InstanceSelection): InstancesWatch {
    return this.#discovery.watchInstances(serviceName, selection);
  }

  listServices(options?: WaitOptions): Promise<string[]> {
    const list = () => this.#discovery.listServices(options);
    return this.#observer.observe(LIST_SERVICES, {}, list, countOf);
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
    this.#context.close();
    this.#serviceConfigs.close();
    await Promise.all([this.#registrations.close(options), this.#discovery.close()]);
  }
}

function countOf({ length }: readonly unknown[]): Subject {
  return { count: length };
}
