import type { WaitOptions } from '@coord/client';
import {
  assertValid,
  checkKeyPart,
  checkWaitFields,
  checkWaitOptions,
  type NamesOf,
  readOptions,
  show,
  WAIT_NAMES,
} from '@coord/client/internal';
import {
  type InstanceSelection,
  isUsual,
  readSelection,
  SELECTION_NAMES,
  select,
  USUAL,
} from './instance-selection.js';
import { type InstancesWatch, watchInstanceList } from './instances-watch.js';
import { LinearizableReads } from './linearizable-reads.js';
import { LiveViews } from './live-views.js';
import { assertNotAborted } from './not-aborted.js';
import type { RegistryContext } from './registry-context.js';
import type { ServiceInfo } from './service-info.js';
import type { DiscoverOptions } from './service-registry.js';
import type { ServiceStatus } from './service-status.js';
import { ServiceView } from './service-view.js';
import { type RegistryStream, type ServiceWatch, watchService } from './service-watch.js';

const DISCOVER_NAMES = {
  ...WAIT_NAMES,
  ...SELECTION_NAMES,
  consistency: true,
} satisfies NamesOf<DiscoverOptions>;

/** The discovering half of a registry: one live list for each service that was asked for. */
export class Discovery {
  readonly #context: RegistryContext;
  readonly #linearizable: LinearizableReads;
  readonly #views: LiveViews<ServiceView>;
  readonly #streams = new Set<RegistryStream>();

  constructor(context: RegistryContext) {
    this.#context = context;
    this.#linearizable = new LinearizableReads(context);
    this.#views = new LiveViews((serviceName) => new ServiceView(context, serviceName));
  }

  async discover(serviceName: string, given?: DiscoverOptions): Promise<ServiceInfo[]> {
    const issues = checkKeyPart([], 'serviceName', serviceName);
    const options = readOptions(issues, given, DISCOVER_NAMES);
    checkWaitFields(issues, options);
    const selection = given === undefined ? USUAL : readSelection(issues, options, DISCOVER_NAMES);
    const { consistency = 'cached' } = options;
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
      const view = this.#view(serviceName);
      if (view.all === undefined) await this.#firstList(view, options);
      await view.settled(options);
      // The usual question has its answer ready.
      return isUsual(selection) ? [...(view.healthy ?? [])] : select(view.all ?? [], selection);
    }
    using wait = this.#context.wait(options, `discover ${show(serviceName)}`);
    return select(await wait.race(this.#linearizable.all(serviceName)), selection);
  }

  status(serviceName: string): ServiceStatus | undefined {
    assertValid(checkKeyPart([], 'serviceName', serviceName));
    this.#context.assertOpen();
    return this.#views.get(serviceName)?.status;
  }

  watch(serviceName: string): ServiceWatch {
    assertValid(checkKeyPart([], 'serviceName', serviceName));
    this.#context.assertOpen();
    return this.#track((onClose) => watchService(this.#context, serviceName, onClose));
  }

  watchInstances(serviceName: string, given?: InstanceSelection): InstancesWatch {
    const issues = checkKeyPart([], 'serviceName', serviceName);
    const selection = readSelection(issues, given);
    assertValid(issues);
    this.#context.assertOpen();
    const view = this.#view(serviceName);
    return this.#track((onClose) => watchInstanceList(view, selection, onClose));
  }

  async listServices(options?: WaitOptions): Promise<string[]> {
    assertValid(checkWaitOptions([], options));
    this.#context.assertOpen();
    const names = new Set<string>();
    for await (const kv of this.#context.client.kv.list(
      { prefix: this.#context.keys.prefix },
      { ...options, keysOnly: true },
    )) {
      const key = this.#context.keyOf(kv);
      if (key) names.add(key.serviceName);
    }
    return [...names].sort();
  }

  /** The shared live list of a service, kept until the registry closes. @throws {ClosedError} when it is closed */
  keptView(serviceName: string): ServiceView {
    const view = this.#view(serviceName);
    view.keep();
    return view;
  }

  #view(serviceName: string): ServiceView {
    this.#context.assertOpen();
    return this.#views.of(serviceName);
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

  /** Ends all that is followed and watched. */
  async close(): Promise<void> {
    await Promise.allSettled([...[...this.#streams].map((stream) => stream.close()), this.#views.close()]);
  }
}
