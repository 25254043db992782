import type { ConfigCenter } from '@coord/config';
import { eventually } from '@coord/testkit';
import { z } from 'zod';
import type { ConfigManager } from '../../src/index.js';
import type { Place, Setup } from '../setup.js';
import { Observer } from './observer.js';

/** Both members always have the same number, so that half of a value would show. */
export interface Numbered {
  readonly first: number;
  readonly second: number;
}

export type Written =
  | { readonly kind: 'valid' | 'invalid'; readonly number: number }
  | { readonly kind: 'absent'; readonly number: 0 };

const schema = z
  .object({ first: z.number(), second: z.number() })
  .refine(({ first, second }) => first === second, { message: 'halves of two values' });
const LATER = { timeoutMs: 30_000 };

/** A key, a manager that follows it over a line that can be cut, and all that has been written so far. */
export class World {
  readonly t: Setup;
  readonly place: Place;
  readonly onDelete: 'keep' | 'default';
  /** Follows several layers, of which only the key's own is ever written. */
  readonly layered: boolean;
  readonly written: Written[] = [];
  readonly observer = new Observer(this);
  connected = true;
  /** So many of the next preparations fail. */
  failures = 0;
  manager: ConfigManager<Numbered>;
  readonly #line: Awaited<ReturnType<Setup['behindProxy']>>;
  readonly #snapshotFile: string;

  private constructor(
    t: Setup,
    { onDelete, layered }: { readonly onDelete: 'keep' | 'default'; readonly layered: boolean },
    line: Awaited<ReturnType<Setup['behindProxy']>>,
    snapshotFile: string,
  ) {
    this.t = t;
    this.place = t.place();
    this.onDelete = onDelete;
    this.layered = layered;
    this.#line = line;
    this.#snapshotFile = snapshotFile;
    this.manager = this.#makeManager();
  }

  static async open(t: Setup, onDelete: 'keep' | 'default', layered: boolean): Promise<World> {
    const world = new World(t, { onDelete, layered }, await t.behindProxy(), await t.file());
    await world.manager.start();
    return world;
  }

  get config(): ConfigCenter {
    return this.t.config;
  }

  get raw(): string {
    return `/config/${this.place.key}`;
  }

  get applied(): number {
    return this.observer.applied;
  }

  get nextNumber(): number {
    return this.written.length + 1;
  }

  async cut(): Promise<void> {
    if (!this.connected) return;
    this.connected = false;
    await this.#line.disconnect();
  }

  async heal(): Promise<void> {
    if (this.connected) return;
    this.connected = true;
    await this.#line.proxy.accept();
  }

  /** As a new process would: with nothing but the snapshot file. */
  async replaceManager(): Promise<void> {
    await this.manager.stop();
    this.observer.nextProcess();
    this.manager = this.#makeManager();
    const mayTakeLonger = this.failures > 0;
    await this.manager.start();
    if (mayTakeLonger) await eventually(() => this.observer.assertNotBehind(), LATER);
    else this.observer.assertNotBehind();
  }

  /** With etcd in reach everything ends where the last write says. */
  async settle(): Promise<void> {
    await this.heal();
    await eventually(() => this.#assertSettled(), LATER);
    this.observer.assertContent();
    this.observer.assertNothingHalf();
  }

  async close(): Promise<void> {
    await this.manager.stop();
  }

  #assertSettled(): void {
    const { status, current } = this.manager;
    const last = this.written.at(-1) ?? { kind: 'absent', number: 0 };
    const problem = (what: string) =>
      new Error(`${what}: ${JSON.stringify({ last, current, status, failures: this.failures })}`);
    if (status.stale) throw problem('stale');
    switch (last.kind) {
      case 'valid':
        if (current.first !== last.number) throw problem('not the last value');
        if (status.state !== 'ready' || status.absent) throw problem('not ready');
        return;
      case 'invalid':
        if (status.rejected === undefined || status.state !== 'degraded') throw problem('not rejected');
        if (status.absent) throw problem('not there');
        return;
      case 'absent':
        if (!status.absent || status.state !== 'ready') throw problem('not absent');
        if (this.onDelete === 'default' && current.first !== 0) throw problem('not the defaults');
    }
  }

  #makeManager(): ConfigManager<Numbered> {
    const { observer } = this;
    const manager = this.t.manager<Numbered>({
      ...this.place,
      config: this.#line.config,
      defaults: { first: 0, second: 0 },
      schema,
      validate: (next) => observer.valid(next),
      onUpdate: [
        observer.updater('one'),
        {
          prepare: () => {
            if (this.failures === 0) return;
            this.failures--;
            throw new Error('a passing failure');
          },
        },
        observer.updater('two'),
      ],
      onDelete: this.onDelete,
      layers: this.layered ? ['shared', 'override'] : [],
      snapshotFile: this.#snapshotFile,
      startTimeoutMs: 50,
      retryDelaysMs: [1, 2, 4],
    });
    manager.subscribe((next, previous) => observer.told(next, previous));
    return manager;
  }
}
