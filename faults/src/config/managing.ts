import { truncateSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type CoordClient, CoordError } from '@coord/client';
import { delay } from '@coord/client/internal';
import { appliedConfig, type ConfigManager, createConfigManager } from '@coord/config-manager';
import { eventually } from '@coord/testkit';
import type { WorkerContext } from '../run/worker-context.js';
import type { Centers } from './centers.js';
import { halfOf, instanceName, keysOf, LAST, rawKey, SERVICE } from './config-names.js';
import {
  type Component,
  type ConfigShapes,
  DEFAULTS,
  isValid,
  type Managing,
  type Saved,
  type Shown,
} from './config-operations.js';
import { savedIn } from './saved-snapshot.js';

type Context = WorkerContext<ConfigShapes>;

/** How often `current` is looked at, besides each change that is told. */
const LOOK_MS = 20;
/** How long a manager lives, except for the last of its kind. */
const LIFE_MS = { least: 1_000, more: 4_000 };
/** How long a manager may take to come to the last value when nothing fails any more. */
const LAST_MS = 90_000;
/** With a planted mistake it may never come there. */
const LAST_IF_PLANTED_MS = 5_000;
const START_MS = 1_000;
const WAIT_MS = 500;
const ASK_MS = 100;
const LEAST_ASKED = 5;

/** Follows a component with one manager after another, the last of which sees the end. */
export async function manage(
  context: Context,
  client: CoordClient,
  centers: Centers,
  component: Component,
): Promise<void> {
  for (let round = 1, over = false; !over; round++) {
    const timeoutMs = context.assignment.variant === '' ? LAST_MS : LAST_IF_PLANTED_MS;
    over = round > 1 && context.stopped.aborted;
    const { index, run } = context.assignment;
    const managing = { manager: `${component}-${round}`, component, index };
    const manager = managerOf(context, centers, component);
    const service = new Service(context, managing, manager);
    await service.start(centers);
    if (over)
      await eventually(() => isLast(component, manager, client, run), { timeoutMs }).catch(() => undefined); // the check will tell
    else await service.live(centers);
    await service.end(over);
  }
}

function managerOf(context: Context, { first: config }: Centers, component: Component): ConfigManager<Shown> {
  const { run, index } = context.assignment;
  const instance = instanceName(index);
  return createConfigManager<Shown>({
    ...{ config, env: run, service: SERVICE, component, instance, startTimeoutMs: START_MS },
    defaults: DEFAULTS[component],
    validate: (next) =>
      isValid(component, next) || context.isPlanted('invalid value') ? undefined : 'is not valid',
    ...(component === 'bounds' && {
      snapshotFile: snapshotFileOf(context),
      announce: !context.isPlanted('announced too early'),
    }),
    ...(component === 'pair' && { layers: ['shared', 'service'], onDelete: 'default' }),
    ...(component === 'tuned' && {
      layers: ['service', 'canary', 'instance', 'override'],
      labels: { half: halfOf(index) },
      onDelete: 'default',
    }),
  });
}

/** Of who comes after one that was killed, too. */
export function snapshotFileOf({ assignment: { historyFile, index } }: Context): string {
  return join(dirname(historyFile), `snapshot-${index}`);
}

async function isLast(
  component: Component,
  { current, status }: ConfigManager<Shown>,
  client: CoordClient,
  run: string,
): Promise<boolean> {
  if (component === 'bounds') return current.last === true;
  if (component === 'pair') return String(current.left).endsWith(LAST);
  if (component === 'tuned') return String(current.base).endsWith(LAST) && current.over === '';
  const raw = await client.kv.get(rawKey(keysOf(run).junk));
  return raw?.text().includes(LAST) === true && status.rejected?.revision === raw.modRevision;
}

/** A manager, and all that it tells. */
class Service {
  readonly #context: Context;
  readonly #managing: Managing;
  readonly #manager: ConfigManager<Shown>;
  readonly #looking: NodeJS.Timeout;
  readonly #listening: Promise<void>;
  #before: Shown;

  constructor(context: Context, managing: Managing, manager: ConfigManager<Shown>) {
    this.#context = context;
    this.#managing = managing;
    this.#manager = manager;
    this.#before = manager.current;
    const events = manager.events();
    this.#listening = this.#listen(events);
    manager.subscribe(() => this.#look());
    this.#looking = setInterval(() => this.#look(), LOOK_MS);
  }

  async start({ first }: Centers): Promise<void> {
    const { recorder } = this.#context;
    const saved = this.#saved(first);
    await this.#manager.start();
    recorder.observe('start', { ...this.#managing, saved }, { source: this.#manager.status.source });
    this.#look();
  }

  #saved(config: Centers['first']): Saved {
    if (this.#managing.component !== 'bounds') return 'nothing';
    const file = snapshotFileOf(this.#context);
    const { bounds } = keysOf(this.#context.assignment.run);
    const saved = savedIn(config, file, bounds);
    if (saved === 'nothing' || !this.#context.isPlanted('torn snapshot')) return saved;
    truncateSync(file, 20);
    return savedIn(config, file, bounds);
  }

  /** For a while. */
  async live(centers: Centers): Promise<void> {
    const { stopped, random } = this.#context;
    const over = AbortSignal.any([
      stopped,
      AbortSignal.timeout(Math.round(LIFE_MS.least + random() * LIFE_MS.more)),
    ]);
    const isAsked = this.#managing.component === 'bounds';
    for (let asked = 0; !over.aborted || (isAsked && asked < LEAST_ASKED && !stopped.aborted); asked++) {
      if (isAsked) await this.#ask(centers);
      await delay(ASK_MS, stopped).catch(() => undefined);
    }
    if (isAsked) await this.#context.at('before a manager ends');
  }

  /** @param seen it has come to the last value, or should have */
  async end(seen: boolean): Promise<void> {
    this.#look();
    if (seen) {
      const { current, status } = this.#manager;
      const rejected = Number(status.rejected?.revision ?? 0n);
      this.#context.recorder.observe('over', this.#managing, { value: current, rejected });
    }
    await this.#manager.stop();
    clearInterval(this.#looking);
    await this.#listening;
  }

  #look(): void {
    const { current, status } = this.#manager;
    if (current === this.#before) return;
    const { recorder } = this.#context;
    const output = { value: current, source: status.source, revision: Number(status.revision) };
    recorder.observe('expose', this.#managing, output);
    if (this.#context.isPlanted('older value'))
      recorder.observe('expose', this.#managing, { ...output, value: this.#before });
    this.#before = current;
  }

  async #listen(events: ReturnType<ConfigManager<Shown>['events']>): Promise<void> {
    const { recorder } = this.#context;
    for await (const event of events) {
      if (event.type === 'rejected')
        recorder.observe('refuse', this.#managing, { revision: Number(event.revision) });
      if (event.type === 'error')
        recorder.observe('trouble', this.#managing, { during: event.during, error: String(event.error) });
    }
  }

  /** What others know of this manager, and what it says of a version that is there. */
  async #ask({ first: config }: Centers): Promise<void> {
    const { recorder, assignment } = this.#context;
    const { bounds } = keysOf(assignment.run);
    await recorder.perform('applied', {}, async () => {
      const { instances } = await appliedConfig(config, bounds);
      return {
        instances: instances.map(({ instance, state, revision }) => ({
          instance,
          state,
          revision: Number(revision),
        })),
      };
    });
    const version = await config.getVersion(bounds).catch(unlessEtcdIsAway);
    if (version === 0) return;
    await recorder.perform('await', { ...this.#managing, version }, async () => {
      await this.#manager.waitFor(version, { timeoutMs: WAIT_MS });
      return { version: this.#manager.status.version };
    });
  }
}

function unlessEtcdIsAway(error: unknown): 0 {
  if (!CoordError.is(error)) throw error;
  return 0;
}
