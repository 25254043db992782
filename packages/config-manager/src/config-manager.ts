import { ClosedError, ValidationError, type WaitOptions } from '@coord/client';
import {
  assertValid,
  checkWaitOptions,
  createCoordLogger,
  internalsOf,
  show,
  Wait,
} from '@coord/client/internal';
import { deepFreeze, internalsOfCenter } from '@coord/config/internal';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { initialConfig } from './build-config.js';
import type { ConfigManager, ConfigManagerEvent, ConfigManagerStatus } from './config-manager-types.js';
import { type ConfigExplanation, type ConfigPath, explain } from './explain.js';
import { ManagerRun } from './manager-run.js';
import { ManagerState } from './manager-state.js';
import type { ConfigManagerOptions, ResolvedConfigManagerOptions } from './options.js';
import { validationError } from './rejection.js';
import { resolveOptions } from './resolve-options.js';
import { SnapshotFile } from './snapshot-file.js';
import { StartUp } from './start-up.js';
import { StepRunner } from './step-runner.js';
import type { Listener } from './subscribers.js';
import { UpdateCounter } from './update-counter.js';
import { UpdatePipeline } from './update-pipeline.js';

/**
 * The configuration of one component of a running service.
 *
 * @throws {ValidationError} naming every bad option, and for defaults that do not fit the schema
 * @example
 * ```ts
 * import { connect } from '@coord/client';
 * import { createConfigCenter } from '@coord/config';
 * import { createConfigManager } from '@coord/config-manager';
 *
 * const client = await connect({ endpoints: ['127.0.0.1:2379'] });
 * const manager = createConfigManager({
 *   config: createConfigCenter(client),
 *   env: 'prod',
 *   service: 'orders',
 *   component: 'http',
 *   defaults: { port: 8080, timeoutMs: 1_000 },
 * });
 * await manager.start();
 * manager.subscribe((next) => console.log('now', next.timeoutMs));
 * console.log(manager.current.timeoutMs);
 * await manager.stop();
 * await client.close();
 * ```
 */
export function createConfigManager<S extends StandardSchemaV1>(
  options: ConfigManagerOptions<StandardSchemaV1.InferOutput<S>> & { readonly schema: S },
): ConfigManager<StandardSchemaV1.InferOutput<S>>;
export function createConfigManager<T>(options: ConfigManagerOptions<T>): ConfigManager<T>;
export function createConfigManager<T>(options: ConfigManagerOptions<T>): ConfigManager<T> {
  return new FollowingConfigManager(resolveOptions(options));
}

class FollowingConfigManager<T> implements ConfigManager<T> {
  readonly #options: ResolvedConfigManagerOptions<T>;
  readonly #state: ManagerState<T>;
  readonly #steps: StepRunner;
  readonly #snapshot: SnapshotFile | undefined;
  readonly #pipeline: UpdatePipeline<T>;
  #run: ManagerRun | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: ResolvedConfigManagerOptions<T>) {
    const { config, key, snapshotFile, updateTimeoutMs } = options;
    const center = internalsOfCenter(config);
    const logger = center?.logger ?? createCoordLogger(undefined, 'silent');
    this.#options = options;
    const { meter, operations } = (center && internalsOf(center.client).telemetry) ?? {};
    const updates = meter && new UpdateCounter(meter);
    this.#state = new ManagerState(key, deepFreeze(initialConfig(options)), logger, updates);
    this.#steps = new StepRunner(key, updateTimeoutMs);
    this.#snapshot =
      snapshotFile === undefined ? undefined : new SnapshotFile(snapshotFile, key, center?.keyring);
    this.#pipeline = new UpdatePipeline(options, this.#state, this.#steps, this.#snapshot, operations);
  }

  get current(): Readonly<T> {
    return this.#state.current;
  }

  getCurrentConfig(): Readonly<T> {
    return this.#state.current;
  }

  get status(): ConfigManagerStatus {
    return this.#state.status(this.#run?.source?.live !== true);
  }

  start(): Promise<void> {
    if (this.#stopping !== undefined) return this.#stopping.then(() => this.start());
    this.#starting ??= this.#start();
    return this.#starting;
  }

  stop(): Promise<void> {
    if (this.#run === undefined) {
      this.#state.events.end();
      return Promise.resolve();
    }
    this.#stopping ??= this.#stop(this.#run);
    return this.#steps.inside ? Promise.resolve() : this.#stopping;
  }

  async reload(): Promise<void> {
    const run = this.#started();
    const { key, startTimeoutMs } = this.#options;
    await run.source?.refresh(run.stopSignal, startTimeoutMs).catch((error: unknown) => {
      throw run.stopped ? this.#notStarted() : error;
    });
    if (run.latest !== undefined) run.queue.offer(run.latest);
    if (this.#steps.inside) return;
    await run.queue.idle();
    if (this.#state.rejected !== undefined) throw validationError(key, this.#state.rejected);
  }

  async waitFor(version: number, options?: WaitOptions): Promise<Readonly<T>> {
    const issues = checkWaitOptions([], options);
    if (!Number.isSafeInteger(version) || version < 1) {
      issues.push({ path: 'version', message: `must be an integer from 1, got ${show(version)}` });
    }
    assertValid(issues);
    const { key } = this.#options;
    const state = this.#state;
    using wait = new Wait(options, `config "${key}": wait for version ${version}`);
    const run = this.#started();
    while (state.origin.version < version) {
      const refused = state.rejected;
      if (run.done !== undefined && run.done.version >= version && !refused?.retrying) {
        if (refused !== undefined) throw validationError(key, refused);
        break; // that version, or a later one, deleted the key
      }
      await wait.race(run.nextWorkedOff()).catch((error: unknown) => {
        throw run.stopped ? this.#notStarted() : error;
      });
    }
    return state.current;
  }

  subscribe(callback: (current: Readonly<T>, previous: Readonly<T>) => void | Promise<void>): () => void;
  subscribe<S>(
    selector: (config: Readonly<T>) => S,
    callback: (current: S, previous: S) => void | Promise<void>,
  ): () => void;
  subscribe<S>(
    listenerOrSelector: Listener<T> | ((config: Readonly<T>) => S),
    callback?: (current: S, previous: S) => void | Promise<void>,
  ): () => void {
    if (
      typeof listenerOrSelector !== 'function' ||
      !(callback === undefined || typeof callback === 'function')
    ) {
      throw new ValidationError([{ path: 'callback', message: 'must be a function' }]);
    }
    const { subscribers } = this.#state;
    if (callback === undefined) return subscribers.add(listenerOrSelector as Listener<T>);
    return subscribers.addSelected(listenerOrSelector as (config: Readonly<T>) => S, callback);
  }

  events(): AsyncIterable<ConfigManagerEvent<T>> & AsyncDisposable {
    return this.#state.events.open();
  }

  explain(path: ConfigPath): ConfigExplanation {
    return explain(this.#state.current, this.#options.defaults, this.#state.origin.parts, path);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #start(): Promise<void> {
    const run = new ManagerRun((current, candidate) => this.#pipeline.process(current, candidate));
    const startUp = new StartUp(this.#options, this.#state, this.#steps, this.#snapshot, run);
    this.#run = run;
    this.#state.moveTo('starting');
    try {
      await startUp.begin();
      startUp.assertNotStopped();
      this.#pipeline.settle(run);
    } catch (error) {
      startUp.assertNotStopped();
      await run.stop();
      this.#run = undefined;
      this.#starting = undefined;
      this.#state.moveTo('failed');
      throw error;
    }
  }

  async #stop(run: ManagerRun): Promise<void> {
    this.#state.moveTo('stopping');
    await run.stop();
    await this.#starting?.catch(() => undefined); // it may be within a validator of the user's
    this.#state.subscribers.drop();
    this.#run = undefined;
    this.#starting = undefined;
    this.#stopping = undefined;
    this.#state.moveTo('stopped');
    this.#state.events.end();
  }

  /** @throws {ClosedError} */
  #started(): ManagerRun {
    if (this.#run === undefined || this.#run.stopped) throw this.#notStarted();
    return this.#run;
  }

  #notStarted(): ClosedError {
    return new ClosedError(`config "${this.#options.key}": the manager is not started`);
  }
}
