import { ClosedError, type CoordError, NotFoundError, TimeoutError } from '@coord/client';
import { Wait } from '@coord/client/internal';
import { deepFreeze, internalsOfCenter } from '@coord/config/internal';
import { Announcer } from './announcer.js';
import { buildConfig } from './build-config.js';
import { Candidate } from './candidate.js';
import type { ManagerRun } from './manager-run.js';
import type { ManagerState } from './manager-state.js';
import { openSource } from './open-source.js';
import type { ResolvedConfigManagerOptions } from './options.js';
import { Rejection, validationError } from './rejection.js';
import type { SnapshotFile } from './snapshot-file.js';
import type { StepRunner } from './step-runner.js';

/** The way to the first configuration: what etcd has, else the snapshot file, else the defaults. */
export class StartUp<T> {
  readonly #options: ResolvedConfigManagerOptions<T>;
  readonly #state: ManagerState<T>;
  readonly #steps: StepRunner;
  readonly #snapshot: SnapshotFile | undefined;
  readonly #run: ManagerRun;

  constructor(
    options: ResolvedConfigManagerOptions<T>,
    state: ManagerState<T>,
    steps: StepRunner,
    snapshot: SnapshotFile | undefined,
    run: ManagerRun,
  ) {
    this.#options = options;
    this.#state = state;
    this.#steps = steps;
    this.#snapshot = snapshot;
    this.#run = run;
  }

  /** Resolves when a valid configuration is in use. @throws as `ConfigManager.start` */
  async begin(): Promise<void> {
    const { config, key, instance, announce, required } = this.#options;
    const run = this.#run;
    await this.#checkDefaults();
    this.assertNotStopped();
    const center = internalsOfCenter(config);
    if (announce && instance !== undefined && center !== undefined) {
      const onError = (error: unknown) => this.#state.report('announce', error);
      run.announcer = new Announcer(center, { key, instance }, onError);
    }
    run.source = openSource(this.#options, {
      onCandidate: (candidate) => run.offerRemote(candidate),
      onError: (error) => this.#state.report('watch', error),
    });
    const problem = await this.#awaitFirst();
    if (problem === undefined) return;
    await this.#restore();
    this.assertNotStopped();
    if (required && this.#state.origin.source === 'default') throw problem;
  }

  /** @throws {ClosedError} */
  assertNotStopped(): void {
    if (this.#run.stopped)
      throw new ClosedError(`config "${this.#options.key}": the manager was stopped while starting`);
  }

  /** The defaults are in use until something better comes, so they must hold. With `required` they never are. */
  async #checkDefaults(): Promise<void> {
    if (this.#options.required || this.#state.origin.source !== 'default') return;
    try {
      const defaults = await buildConfig(this.#options, [], this.#steps.until(this.#run.stopSignal));
      this.#state.useDefaults(deepFreeze(defaults));
    } catch (error) {
      throw error instanceof Rejection ? validationError(`${this.#options.key}: defaults`, error) : error;
    }
  }

  /** Undefined when what the centre has is in use now; otherwise why not. */
  async #awaitFirst(): Promise<CoordError | undefined> {
    const { key, startTimeoutMs } = this.#options;
    const { first, stopSignal } = this.#run;
    const timedOut = (timeoutMs: number) => {
      const cause = this.#state.lastError;
      return new TimeoutError(`config "${key}": no answer from etcd within ${timeoutMs} ms`, {
        timeoutMs,
        cause,
      });
    };
    const limits = { timeoutMs: startTimeoutMs, signal: stopSignal };
    try {
      using wait = new Wait(limits, `config "${key}": start`, timedOut);
      await wait.race(first.promise);
    } catch (error) {
      this.assertNotStopped();
      if (!(error instanceof TimeoutError)) throw error;
      this.#state.logger.warn('config manager starts without etcd', { key, error });
      return error;
    }
    const { rejected, origin } = this.#state;
    if (rejected !== undefined) return validationError(key, rejected);
    return origin.source === 'default'
      ? new NotFoundError(`config "${key}" does not exist`, { key })
      : undefined;
  }

  /** Takes over the last good value, unless the centre has meanwhile given a newer one, or said that there is none. */
  async #restore(): Promise<void> {
    if (this.#snapshot === undefined || this.#state.absent) return;
    try {
      const saved = await this.#snapshot.load();
      if (saved === undefined) return;
      const { value, ...at } = saved;
      const part = {
        layer: 'snapshot',
        key: this.#options.key,
        ...at,
        content: { kind: 'value', value },
      } as const;
      this.#run.setFallback(new Candidate('snapshot', [part]));
    } catch (error) {
      this.#state.report('snapshot', error);
    }
    await this.#run.queue.idle();
  }
}
