import { isDeepStrictEqual } from 'node:util';
import { ClosedError, type CoordError, NotFoundError, TimeoutError, ValidationError } from '@coord/client';
import { type CoordLogger, createCoordLogger, monotonicNow, Wait } from '@coord/client/internal';
import { internalsOfCenter } from '@coord/config/internal';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { buildConfig, buildDefaults, initialConfig } from './build-config.js';
import type { Candidate } from './candidate.js';
import type {
  ConfigErrorSource,
  ConfigManager,
  ConfigManagerEvent,
  ConfigManagerState,
  ConfigManagerStatus,
  ConfigRejection,
  ConfigSource,
} from './config-manager-types.js';
import { deepFreeze } from './deep-freeze.js';
import { EventStreams } from './event-streams.js';
import { Follower } from './follower.js';
import { makeStatus } from './make-status.js';
import { ManagerRun } from './manager-run.js';
import { type ConfigManagerOptions, type ResolvedConfigManagerOptions, resolveOptions } from './options.js';
import { Rejection, validationError } from './rejection.js';
import { commitAll, prepareAll, rollbackAll } from './run-updaters.js';
import { SnapshotFile } from './snapshot-file.js';
import { StepRunner } from './step-runner.js';
import { type Listener, Subscribers } from './subscribers.js';

/**
 * The configuration of one component of a running service.
 *
 * @throws {ValidationError} naming every bad option, and for defaults that do not fit the schema
 * @example
 * const manager = createConfigManager({
 *   config, env: 'prod', service: 'orders', component: 'http',
 *   defaults: { port: 8080, timeoutMs: 1_000 },
 * });
 * await manager.start();
 * manager.subscribe((next) => server.setTimeout(next.timeoutMs));
 */
export function createConfigManager<S extends StandardSchemaV1>(
  options: ConfigManagerOptions<StandardSchemaV1.InferOutput<S>> & { readonly schema: S },
): ConfigManager<StandardSchemaV1.InferOutput<S>>;
export function createConfigManager<T>(options: ConfigManagerOptions<T>): ConfigManager<T>;
export function createConfigManager<T>(options: ConfigManagerOptions<T>): ConfigManager<T> {
  return new FollowingConfigManager(resolveOptions(options));
}

/** Where the present configuration comes from. */
interface Origin {
  readonly source: ConfigSource;
  readonly version: number;
  readonly revision: bigint;
}

const FROM_DEFAULTS: Origin = { source: 'default', version: 0, revision: 0n };

class FollowingConfigManager<T> implements ConfigManager<T> {
  readonly #options: ResolvedConfigManagerOptions<T>;
  readonly #logger: CoordLogger;
  readonly #steps: StepRunner;
  readonly #subscribers = new Subscribers<T>((error) => this.#report('subscriber', error));
  readonly #events = new EventStreams<ConfigManagerEvent<T>>();
  readonly #snapshot: SnapshotFile | undefined;
  #current: Readonly<T>;
  #origin: Origin = FROM_DEFAULTS;
  #appliedAt: Date | undefined;
  #absent = false;
  #rejected: ConfigRejection | undefined;
  #lastError: unknown;
  #state: ConfigManagerState = 'idle';
  #run: ManagerRun | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: ResolvedConfigManagerOptions<T>) {
    const { config, key, snapshotFile, updateTimeoutMs } = options;
    this.#options = options;
    this.#logger = internalsOfCenter(config)?.logger ?? createCoordLogger(undefined, 'silent');
    this.#steps = new StepRunner(key, updateTimeoutMs);
    this.#snapshot = snapshotFile === undefined ? undefined : new SnapshotFile(snapshotFile, key);
    this.#current = deepFreeze(initialConfig(options));
  }

  get current(): Readonly<T> {
    return this.#current;
  }

  getCurrentConfig(): Readonly<T> {
    return this.#current;
  }

  get status(): ConfigManagerStatus {
    return makeStatus({
      state: this.#state,
      ...this.#origin,
      appliedAt: this.#appliedAt,
      stale: this.#run?.follower?.live !== true,
      absent: this.#absent,
      rejected: this.#rejected,
      lastError: this.#lastError,
    });
  }

  start(): Promise<void> {
    if (this.#stopping !== undefined) return this.#stopping.then(() => this.start());
    this.#starting ??= this.#start();
    return this.#starting;
  }

  stop(): Promise<void> {
    if (this.#run === undefined) {
      this.#events.end();
      return Promise.resolve();
    }
    this.#stopping ??= this.#stop(this.#run);
    return this.#steps.inside ? Promise.resolve() : this.#stopping;
  }

  async reload(): Promise<void> {
    const run = this.#run;
    const { key, startTimeoutMs } = this.#options;
    const stopped = () => new ClosedError(`config "${key}": the manager is not started`);
    if (run === undefined || run.stopped) throw stopped();
    const revision = await this.#revisionInEtcd();
    if (revision !== undefined) {
      await run.caughtUp(revision, key, startTimeoutMs).catch((error: unknown) => {
        throw run.stopped ? stopped() : error;
      });
    }
    if (run.latest !== undefined) run.queue.offer(run.latest);
    if (this.#steps.inside) return;
    await run.queue.idle();
    if (this.#rejected !== undefined) throw validationError(key, this.#rejected);
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
    if (callback === undefined) return this.#subscribers.add(listenerOrSelector as Listener<T>);
    return this.#subscribers.addSelected(listenerOrSelector as (config: Readonly<T>) => S, callback);
  }

  events(): AsyncIterable<ConfigManagerEvent<T>> & AsyncDisposable {
    return this.#events.open();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #start(): Promise<void> {
    const run = new ManagerRun((current, candidate) => this.#process(current, candidate));
    this.#run = run;
    this.#setState('starting');
    try {
      await this.#checkDefaults(run);
      this.#assertNotStopped(run);
      run.follower = new Follower(this.#options.config, this.#options.key, {
        onCandidate: (candidate) => run.offerRemote(candidate),
        onError: (error) => this.#report('watch', error),
      });
      const problem = await this.#awaitFirst(run);
      if (problem !== undefined) await this.#restore(run);
      this.#assertNotStopped(run);
      if (problem !== undefined && this.#options.required && this.#origin.source === 'default') throw problem;
      this.#setState(this.#settledState(run));
    } catch (error) {
      this.#assertNotStopped(run);
      await run.stop();
      this.#run = undefined;
      this.#starting = undefined;
      this.#setState('failed');
      throw error;
    }
  }

  async #stop(run: ManagerRun): Promise<void> {
    this.#setState('stopping');
    await run.stop();
    await this.#starting?.catch(() => undefined); // it may be within a validator of the user's
    this.#run = undefined;
    this.#starting = undefined;
    this.#stopping = undefined;
    this.#setState('stopped');
    this.#events.end();
  }

  #assertNotStopped(run: ManagerRun): void {
    if (run.stopped)
      throw new ClosedError(`config "${this.#options.key}": the manager was stopped while starting`);
  }

  /** The defaults are in use until something better comes, so they must hold. With `required` they never are. */
  async #checkDefaults(run: ManagerRun): Promise<void> {
    if (this.#options.required || this.#origin.source !== 'default') return;
    try {
      this.#current = deepFreeze(await buildDefaults(this.#options, this.#steps.until(run.stopSignal)));
    } catch (error) {
      throw error instanceof Rejection ? validationError(`${this.#options.key}: defaults`, error) : error;
    }
  }

  /** Undefined when what the centre has is in use now; otherwise why not. */
  async #awaitFirst(run: ManagerRun): Promise<CoordError | undefined> {
    const { key, startTimeoutMs } = this.#options;
    const timedOut = (timeoutMs: number) =>
      new TimeoutError(`config "${key}": no answer from etcd within ${timeoutMs} ms`, {
        timeoutMs,
        cause: this.#lastError,
      });
    try {
      using wait = new Wait(
        { timeoutMs: startTimeoutMs, signal: run.stopSignal },
        `config "${key}": start`,
        timedOut,
      );
      await wait.race(run.first.promise);
    } catch (error) {
      this.#assertNotStopped(run);
      if (!(error instanceof TimeoutError)) throw error;
      this.#logger.warn('config manager starts without etcd', { key, error });
      return error;
    }
    if (this.#rejected !== undefined) return validationError(key, this.#rejected);
    return this.#absent ? new NotFoundError(`config "${key}" does not exist`, { key }) : undefined;
  }

  /** Takes over the last good value, unless the centre has meanwhile given a newer one, or said that there is none. */
  async #restore(run: ManagerRun): Promise<void> {
    await run.queue.idle();
    if (this.#snapshot === undefined || this.#origin.source !== 'default' || this.#absent || run.stopped)
      return;
    try {
      const saved = await this.#snapshot.load();
      if (saved === undefined) return;
      const { value, version, revision } = saved;
      if (run.queue.busy) return;
      run.queue.offer({ origin: 'snapshot', content: { kind: 'value', value }, version, revision });
    } catch (error) {
      this.#report('snapshot', error);
    }
    await run.queue.idle();
  }

  /** Works off one candidate; the queue calls it for one at a time. */
  async #process(run: ManagerRun, candidate: Candidate): Promise<void> {
    const startedAt = monotonicNow();
    const { origin, version, revision } = candidate;
    let outcome = 'applied';
    try {
      await this.#take(run, candidate);
    } catch (error) {
      outcome = run.stopped ? 'abandoned' : 'rejected';
      if (!run.stopped)
        this.#reject(run, candidate, error instanceof Rejection ? error : new Rejection('update', error));
    }
    if (origin === 'remote') {
      run.synced = true;
      run.first.resolve();
    }
    if (this.#state === 'ready' || this.#state === 'degraded') this.#setState(this.#settledState(run));
    const durationMs = monotonicNow() - startedAt;
    const fields = {
      key: this.#options.key,
      origin,
      outcome,
      version,
      revision: String(revision),
      durationMs,
    };
    this.#logger.debug('config manager worked off a change', fields);
  }

  async #take(run: ManagerRun, { origin, content, version, revision }: Candidate): Promise<void> {
    if (origin === 'snapshot' && this.#origin.source !== 'default') return;
    switch (content.kind) {
      case 'unusable':
        throw new Rejection('decode', content.error);
      case 'absent':
        return this.#takeAbsence(run, version, revision);
      case 'value': {
        const next = await buildConfig(this.#options, content.value, this.#steps.until(run.stopSignal));
        await this.#install(run, next, { source: origin, version, revision });
        if (origin === 'remote') {
          this.#absent = false;
          await this.#save((file) => file.save({ value: content.value, version, revision }));
        }
      }
    }
  }

  async #takeAbsence(run: ManagerRun, version: number, revision: bigint): Promise<void> {
    const wasThere = !this.#absent && this.#origin.source !== 'default';
    if (this.#options.onDelete === 'default' && this.#origin.source !== 'default') {
      const next = await buildDefaults(this.#options, this.#steps.until(run.stopSignal));
      await this.#install(run, next, FROM_DEFAULTS);
    }
    this.#absent = true;
    if (wasThere) {
      this.#logger.warn('config was deleted', { key: this.#options.key, onDelete: this.#options.onDelete });
      this.#events.emit({ type: 'deleted', version, revision });
    }
    this.#clearRejection();
    await this.#save((file) => file.clear({ version, revision }));
  }

  /** Prepare, swap, commit, tell. Up to the swap everything can be taken back; after it nothing is. */
  async #install(run: ManagerRun, built: T, origin: Origin): Promise<void> {
    const next = deepFreeze(built);
    const previous = this.#current;
    const changed = !isDeepStrictEqual(next, previous);
    const transition = { next, previous };
    const step = this.#steps.until(run.stopSignal);
    const report = (during: ConfigErrorSource, error: unknown) => this.#report(during, error);
    if (changed) await prepareAll(this.#options.updaters, transition, step, report);
    if (run.stopped) {
      if (changed) await rollbackAll(this.#options.updaters, transition, step, report);
      throw new ClosedError(`config "${this.#options.key}": stopped during an update`);
    }
    if (changed) this.#current = next;
    this.#origin = origin;
    this.#appliedAt = new Date();
    if (changed) {
      await commitAll(this.#options.updaters, transition, step, report);
      const { source, version, revision } = origin;
      this.#logger.info('config applied', {
        key: this.#options.key,
        source,
        version,
        revision: String(revision),
      });
      this.#events.emit({ type: 'applied', current: next, previous, source, version, revision });
    }
    this.#clearRejection();
    if (changed) this.#subscribers.notify(next, previous);
  }

  #reject(run: ManagerRun, candidate: Candidate, rejection: Rejection): void {
    if (candidate.origin === 'snapshot') {
      this.#report('snapshot', rejection.cause);
      return;
    }
    const { phase, issues, cause: error } = rejection;
    const { version, revision } = candidate;
    this.#rejected = { phase, issues, version, revision, error };
    const paths = issues.map((issue) => issue.path); // a message might quote the value
    this.#logger.warn('config refused', {
      key: this.#options.key,
      phase,
      version,
      revision: String(revision),
      paths,
    });
    this.#events.emit({ type: 'rejected', ...this.#rejected });
    if (rejection.retryable) run.retryLater(candidate, this.#options.retryDelaysMs);
  }

  #clearRejection(): void {
    if (this.#rejected === undefined) return;
    this.#rejected = undefined;
    const { version, revision } = this.#origin;
    this.#logger.info('config recovered', { key: this.#options.key, version, revision: String(revision) });
    this.#events.emit({ type: 'recovered', version, revision });
  }

  async #save(write: (file: SnapshotFile) => Promise<void>): Promise<void> {
    if (this.#snapshot === undefined) return;
    try {
      await write(this.#snapshot);
    } catch (error) {
      this.#report('snapshot', error);
    }
  }

  /** The revision of the present value; 0n = absent; undefined = there, but unreadable. */
  async #revisionInEtcd(): Promise<bigint | undefined> {
    try {
      return (await this.#options.config.get(this.#options.key)).revision;
    } catch (error) {
      if (error instanceof NotFoundError) return 0n;
      if (error instanceof ValidationError) return undefined;
      throw error;
    }
  }

  #settledState(run: ManagerRun): ConfigManagerState {
    return run.synced && this.#rejected === undefined ? 'ready' : 'degraded';
  }

  #setState(state: ConfigManagerState): void {
    if (this.#state === state) return;
    this.#state = state;
    const level = state === 'degraded' || state === 'failed' ? 'warn' : 'info';
    this.#logger[level](`config manager ${state}`, { key: this.#options.key });
    this.#events.emit({ type: 'state', state });
  }

  #report(during: ConfigErrorSource, error: unknown): void {
    this.#lastError = error;
    this.#logger.warn('config manager: something failed', { key: this.#options.key, during, error });
    this.#events.emit({ type: 'error', during, error });
  }
}
