import { setTimeout as sleep } from 'node:timers/promises';
import type { CoordClient } from '@coord/client';
import type { HealthStatus, Registration, ServiceRegistry } from '@coord/registry';
import { pick } from '../random.js';
import type { WorkerContext } from '../run/worker-context.js';
import { BareRegistration } from './bare-registration.js';
import { goneKey, instancePrefix, REGISTRY_TTL_MS, SERVICE } from './registry-names.js';
import type { RegistryShapes } from './registry-operations.js';

const HEALTH: readonly HealthStatus[] = ['healthy', 'healthy', 'unhealthy', 'maintenance'];
/** The pace, give or take a half. */
const PAUSE_MS = 300;
const DRAIN_MS = 30;
/** How often it tells of a moment in which it does nothing. */
const TOLD = 0.1;

export interface SlotOptions {
  readonly context: WorkerContext<RegistryShapes>;
  readonly client: CoordClient;
  readonly registry: ServiceRegistry;
  /** Of the instance, also of those that another process registers in its place. */
  readonly id: string;
  /** Told whenever a lease is lost. */
  readonly lost: () => void;
}

/** What this worker does to one instance. */
type Held = Pick<Registration, 'state' | 'updateHealth' | 'drain' | 'deregister'>;

let count = 0;

/** One instance, which comes and goes. */
export class Slot {
  readonly #options: SlotOptions;
  #held: { readonly registration: string; readonly handle: Held } | undefined;

  constructor(options: SlotOptions) {
    this.#options = options;
  }

  /** The registration that has to be there, as its own state has it. */
  get wanted(): string[] {
    const state = this.#held?.handle.state;
    const isOver =
      state === undefined || state === 'deregistered' || state === 'superseded' || state === 'leaving';
    return this.#held === undefined || isOver ? [] : [this.#held.registration];
  }

  get recovers(): boolean {
    return this.#held?.handle.state === 'recovering';
  }

  /** Until the worker is stopped. */
  async change(): Promise<void> {
    const { context } = this.#options;
    const { stopped, random } = context;
    while (!stopped.aborted) {
      const kind = random();
      if (random() < TOLD) await context.at('between changes');
      if (this.wanted.length === 0) await this.#register();
      // Mostly it is left to come back by itself; it may be told to go just then, too.
      else if (!this.recovers || random() < 0.2) {
        if (kind < 0.4) await this.#update();
        else if (kind < 0.65) await this.leave();
        else if (kind < 0.75) await this.#register(); // in its own place
      }
      await sleep(PAUSE_MS * (0.5 + random()));
    }
  }

  async #register(): Promise<void> {
    const { context, registry, client, id, lost } = this.#options;
    count += 1;
    const registration = `${context.assignment.process}-${count}`;
    await context.recorder.perform('register', { registration, id }, async () => {
      const service = {
        name: SERVICE,
        id,
        address: '127.0.0.1',
        port: 1_024 + count,
        metadata: { registration },
      };
      if (context.isPlanted('bare lease')) {
        const handle = await BareRegistration.register(client, this.#key, service);
        this.#held = { registration, handle };
        return {};
      }
      const handle = await registry.register(service);
      handle.subscribe((state) => {
        if (state === 'recovering') lost();
      });
      this.#held = { registration, handle };
      return {};
    });
  }

  get #key(): string {
    const { context, id } = this.#options;
    return `${instancePrefix(context.assignment.run)}${id}`;
  }

  async #update(): Promise<void> {
    const { recorder, random } = this.#options.context;
    const held = this.#held;
    if (held === undefined) return;
    const { registration, handle } = held;
    const health = pick(HEALTH, random());
    await recorder.perform('update', { registration, health }, async () => {
      await handle.updateHealth(health);
      return {};
    });
  }

  /** Once it is acknowledged, a key says so in etcd's own log. */
  async leave(): Promise<void> {
    const { context, client } = this.#options;
    const held = this.#held;
    if (held === undefined) return;
    const { registration, handle } = held;
    const how = context.random() < 0.3 ? 'drain' : 'deregister';
    const stood = context.isPlanted('late write') ? await client.kv.get(this.#key) : undefined;
    const { outcome } = await context.recorder.perform('leave', { registration, how }, async () => {
      await (how === 'drain' ? handle.drain({ waitMs: DRAIN_MS }) : handle.deregister());
      return {};
    });
    if (outcome !== 'ok') return;
    await client.kv.put(goneKey(context.assignment.run, registration), '').catch(() => undefined);
    if (stood !== undefined) await this.#writeLate(stood.value).catch(() => undefined);
  }

  /** The planted mistake: what was on its way to etcd comes at last, and nobody has withdrawn it. */
  async #writeLate(value: Uint8Array): Promise<void> {
    const { client } = this.#options;
    const session = await client.session({ ttlMs: REGISTRY_TTL_MS });
    await client.kv.put(this.#key, value, { session });
    await session.close();
  }
}
