import type { WaitOptions } from '@coord/client';
import { assertValid, checkKeyPart, checkWaitOptions, type IssueList, show } from '@coord/client/internal';
import { assertNotAborted } from './not-aborted.js';
import type { RegistryContext } from './registry-context.js';
import { HEALTH_STATUSES, type ServiceInfo } from './service-info.js';
import type { DiscoverOptions, InstanceSelection } from './service-registry.js';
import { decodeAt, ServiceView } from './service-view.js';
import {
  type InstancesWatch,
  type RegistryStream,
  type ServiceWatch,
  watchInstanceList,
  watchService,
} from './service-watch.js';

/** The discovering half of a registry: one live list for each service that was asked for. */
export class Discovery {
  readonly #context: RegistryContext;
  readonly #views = new Map<string, ServiceView>();
  readonly #streams = new Set<RegistryStream>();

  constructor(context: RegistryContext) {
    this.#context = context;
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
    this.#context.assertOpen();
    assertNotAborted('discover', options);
    if (consistency === 'cached') {
      const view = this.view(serviceName);
      if (view.all === undefined) await this.#firstList(view, options);
      await view.settled(options);
      // The usual question has its answer ready.
      const usual = options.filter === undefined && (options.health ?? 'healthy') === 'healthy';
      return usual ? [...(view.healthy ?? [])] : select(view.all ?? [], options);
    }
    using wait = this.#context.wait(options, `discover ${show(serviceName)}`);
    try {
      return select(await this.#read(serviceName, wait.signal), options);
    } catch (error) {
      throw wait.errorFor(error);
    }
  }

  watch(serviceName: string): ServiceWatch {
    assertValid(checkKeyPart([], 'serviceName', serviceName));
    this.#context.assertOpen();
    return this.#track((onClose) =>
      watchService(this.#context.client, this.#context.keys, serviceName, onClose),
    );
  }

  watchInstances(serviceName: string, selection: InstanceSelection = {}): InstancesWatch {
    const issues = checkKeyPart([], 'serviceName', serviceName);
    if (typeof selection === 'object' && selection !== null) checkSelection(issues, selection);
    else issues.push({ path: 'selection', message: `must be an object, got ${show(selection)}` });
    assertValid(issues);
    this.#context.assertOpen();
    const view = this.view(serviceName);
    return this.#track((onClose) =>
      watchInstanceList(view, (all) => Object.freeze(select(all, selection)), onClose),
    );
  }

  async listServices(options?: WaitOptions): Promise<string[]> {
    assertValid(checkWaitOptions([], options));
    this.#context.assertOpen();
    const names = new Set<string>();
    for await (const { key } of this.#context.client.kv.list(
      { prefix: this.#context.keys.prefix },
      { ...options, keysOnly: true },
    )) {
      const parts = this.#context.keys.parse(key);
      if (parts) names.add(parts.serviceName);
    }
    return [...names].sort();
  }

  /** The shared live list of a service. @throws {ClosedError} when the registry is closed */
  view(serviceName: string): ServiceView {
    this.#context.assertOpen();
    const existing = this.#views.get(serviceName);
    if (existing !== undefined) return existing;
    const { logger } = this.#context;
    const { emptyHoldMs } = this.#context.config;
    const view = new ServiceView({
      client: this.#context.client,
      keys: this.#context.keys,
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

  async #firstList(view: ServiceView, options: WaitOptions): Promise<void> {
    using wait = this.#context.wait(options, `discover ${show(view.serviceName)}`);
    await view.listed(wait.signal);
  }

  async #read(serviceName: string, signal: AbortSignal): Promise<ServiceInfo[]> {
    const { logger } = this.#context;
    const instances: ServiceInfo[] = [];
    for await (const kv of this.#context.client.kv.list(
      { prefix: this.#context.keys.service(serviceName) },
      { signal },
    )) {
      try {
        const instance = decodeAt(this.#context.keys, kv);
        if (instance && !instance.leaving) instances.push(instance.info);
      } catch (error) {
        logger.warn('value left out: it is no instance', { key: kv.key, error });
      }
    }
    return instances;
  }

  /** Ends all that is followed and watched. */
  async close(): Promise<void> {
    await Promise.allSettled([
      ...[...this.#streams].map((stream) => stream.close()),
      ...[...this.#views.values()].map((view) => view.close()),
    ]);
    this.#views.clear();
  }
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
