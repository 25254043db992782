import type { CoordClient } from '@coord/client';
import { Actor, type Typed } from './actor.js';
import type { Check } from './check.js';
import type { Story } from './story.js';

export interface StageOptions {
  readonly client: CoordClient;
  readonly story: Story;
  /** Where etcd is, for other processes. */
  readonly endpoints: readonly string[];
  /** Every key of the demo is below it. */
  readonly namespace: string;
  /** Aborts when the demo is interrupted. */
  readonly signal: AbortSignal;
}

/** What every act plays on, and the processes on it, which are all ended in the end. */
export class Stage implements StageOptions {
  readonly client: CoordClient;
  readonly story: Story;
  readonly endpoints: readonly string[];
  readonly namespace: string;
  readonly signal: AbortSignal;
  readonly #checks: Check[] = [];
  readonly #actors: { readonly running: boolean; stop(): Promise<void> }[] = [];

  constructor({ client, story, endpoints, namespace, signal }: StageOptions) {
    this.client = client;
    this.story = story;
    this.endpoints = endpoints;
    this.namespace = namespace;
    this.signal = signal;
  }

  /** Starts a process of the demo. */
  start<Order extends Typed, Report extends Typed>(file: string, name: string): Actor<Order, Report> {
    this.signal.throwIfAborted();
    const { endpoints, namespace } = this;
    const actor = new Actor<Order, Report>(file, { name, endpoints, namespace });
    this.#actors.push(actor);
    return actor;
  }

  /** Notes a promise and what came of it. */
  check(check: Check): void {
    this.#checks.push(check);
  }

  get checks(): readonly Check[] {
    return this.#checks;
  }

  /** How many processes were started. */
  get started(): number {
    return this.#actors.length;
  }

  /** How many of them have not ended. */
  get running(): number {
    return this.#actors.filter(({ running }) => running).length;
  }

  /** Ends whatever still runs. */
  async clear(): Promise<void> {
    await Promise.all(this.#actors.map((actor) => actor.stop()));
  }
}
