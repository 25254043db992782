import { setTimeout as sleep } from 'node:timers/promises';
import { CoordError } from '@coord/client';
import type { InstancesWatch, ServiceInfo, ServiceRegistry, ServiceWatch } from '@coord/registry';
import type { WorkerContext } from '../run/worker-context.js';
import { SERVICE } from './registry-names.js';
import type { RegistryShapes, ShownInstance } from './registry-operations.js';
import { shownInfo } from './shown-info.js';

/** Notes what one way of looking at the service shows. */
export class View {
  readonly #context: WorkerContext<RegistryShapes>;
  readonly #registry: ServiceRegistry;
  readonly #name: string;
  /** What it shows now. */
  #shown: readonly ShownInstance[] | undefined;
  #ended = false;

  constructor(context: WorkerContext<RegistryShapes>, registry: ServiceRegistry, name: string) {
    this.#context = context;
    this.#registry = registry;
    this.#name = name;
  }

  /** @param slownessMs how long its reader takes over each list */
  async follow(lists: InstancesWatch, slownessMs = 0): Promise<void> {
    await this.#until(async () => {
      for await (const list of lists) {
        this.#show(list);
        if (slownessMs > 0) await sleep(slownessMs);
      }
    });
  }

  /** From the first list on, nothing that becomes of etcd may make it fail. */
  async poll(discover: () => Promise<ServiceInfo[]>, everyMs: number): Promise<void> {
    await this.#until(async () => {
      while (!this.#ended) {
        const list = await discover().catch((error: unknown) => {
          if (CoordError.is(error) && this.#shown === undefined) return undefined;
          throw error;
        });
        const { source } = this.#registry.status(SERVICE) ?? {};
        if (this.#context.isPlanted('empty on disconnect') && source === 'stale') this.#show([]);
        else if (list !== undefined) this.#show(list);
        await sleep(everyMs);
      }
    });
  }

  async hear(changes: ServiceWatch): Promise<void> {
    const present = new Map<string, ShownInstance>();
    await this.#until(async () => {
      for await (const { type, service, previous } of changes) {
        const now = type === 'put' ? shownInfo(service) : undefined;
        if (now === undefined) present.delete(service.id);
        else present.set(service.id, now);
        this.#shown = [...present.values()].sort();
        this.#context.recorder.observe(
          'change',
          { view: this.#name, id: service.id },
          { ...(now !== undefined && { now }), ...(previous && { previous: shownInfo(previous) }) },
        );
      }
    });
  }

  shows(instances: readonly ServiceInfo[]): boolean {
    return isSame(this.#shown, instances.map(shownInfo).sort());
  }

  /** It should show the service at this revision, or later. */
  end(revision: number): void {
    this.#ended = true;
    const { recorder } = this.#context;
    recorder.observe(
      'over',
      { view: this.#name, revision },
      { ...(this.#shown && { instances: this.#shown }) },
    );
  }

  /** Notes when it ends before its end. */
  async #until(over: () => Promise<void>): Promise<void> {
    const error = await over().then(
      () => 'nothing',
      (failure: unknown) => (failure instanceof Error ? failure.name : String(failure)),
    );
    if (!this.#ended) this.#context.recorder.observe('over', { view: this.#name, revision: 0 }, { error });
  }

  #show(list: readonly ServiceInfo[]): void {
    const instances = list.map(shownInfo).sort();
    if (isSame(this.#shown, instances)) return;
    const before = this.#shown;
    this.#shown = instances;
    this.#record(instances);
    if (before !== undefined && this.#context.isPlanted('backwards')) this.#record(before);
  }

  #record(instances: readonly ShownInstance[]): void {
    const { source = 'live', revision = 0n } = this.#registry.status(SERVICE) ?? {};
    const output = { instances, revision: Number(revision), source };
    this.#context.recorder.observe('list', { view: this.#name }, output);
  }
}

function isSame(a: readonly string[] | undefined, b: readonly string[]): boolean {
  return a !== undefined && a.length === b.length && a.every((each, i) => each === b[i]);
}
