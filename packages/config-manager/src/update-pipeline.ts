import { isDeepStrictEqual } from 'node:util';
import { ClosedError } from '@coord/client';
import { monotonicNow } from '@coord/client/internal';
import { buildConfig, buildDefaults } from './build-config.js';
import type { Candidate } from './candidate.js';
import type { ConfigErrorSource } from './config-manager-types.js';
import { deepFreeze } from './deep-freeze.js';
import type { ManagerRun } from './manager-run.js';
import { FROM_DEFAULTS, type ManagerState, type Origin } from './manager-state.js';
import type { ResolvedConfigManagerOptions } from './options.js';
import { Rejection, validationError } from './rejection.js';
import { commitAll, prepareAll, rollbackAll } from './run-updaters.js';
import type { SnapshotFile } from './snapshot-file.js';
import type { StepRunner } from './step-runner.js';

/** The way of a candidate into use: build, prepare, swap, commit, tell, save. */
export class UpdatePipeline<T> {
  readonly #options: ResolvedConfigManagerOptions<T>;
  readonly #state: ManagerState<T>;
  readonly #steps: StepRunner;
  readonly #snapshot: SnapshotFile | undefined;

  constructor(
    options: ResolvedConfigManagerOptions<T>,
    state: ManagerState<T>,
    steps: StepRunner,
    snapshot: SnapshotFile | undefined,
  ) {
    this.#options = options;
    this.#state = state;
    this.#steps = steps;
    this.#snapshot = snapshot;
  }

  /** Works off one candidate; the queue calls it for one at a time. Never rejects. */
  async process(run: ManagerRun, candidate: Candidate): Promise<void> {
    const startedAt = monotonicNow();
    const { origin, version, revision } = candidate;
    let outcome = 'applied';
    if (origin === 'remote' && candidate.content.kind !== 'absent') this.#state.present();
    try {
      await this.#take(run, candidate);
    } catch (error) {
      outcome = run.stopped ? 'abandoned' : 'rejected';
      if (!run.stopped) this.#reject(run, candidate, error);
    }
    if (origin === 'remote') run.workedOff(candidate);
    if (this.#state.following) this.settle(run);
    this.#state.logger.debug('config manager worked off a change', {
      key: this.#options.key,
      origin,
      outcome,
      version,
      revision: String(revision),
      durationMs: monotonicNow() - startedAt,
    });
  }

  /** `ready` when what etcd has is in use, else `degraded`. */
  settle(run: ManagerRun): void {
    this.#state.moveTo(run.synced && this.#state.rejected === undefined ? 'ready' : 'degraded');
  }

  async #take(run: ManagerRun, candidate: Candidate): Promise<void> {
    const { origin, content, version, revision } = candidate;
    const { source } = this.#state.origin;
    if (origin === 'snapshot' && (source !== 'default' || this.#state.absent)) return;
    switch (content.kind) {
      case 'unusable':
        throw new Rejection('decode', content.error);
      case 'absent':
        return this.#takeAbsence(run, version, revision);
      case 'value': {
        const next = await buildConfig(this.#options, content.value, this.#steps.until(run.stopSignal));
        await this.#install(run, next, { source: origin, version, revision });
        if (origin === 'snapshot') return;
        await this.#save((file) => file.save({ value: content.value, version, revision }));
      }
    }
  }

  async #takeAbsence(run: ManagerRun, version: number, revision: bigint): Promise<void> {
    const inUse = this.#state.origin.source !== 'default';
    const lost = inUse && !this.#state.absent;
    if (inUse && this.#options.onDelete === 'default') {
      const next = await buildDefaults(this.#options, this.#steps.until(run.stopSignal));
      await this.#install(run, next, FROM_DEFAULTS);
    }
    run.dropFallback();
    this.#state.gone(lost, { version, revision });
    this.#state.recover();
    await this.#save((file) => file.clear({ version, revision }));
  }

  /** Prepare, swap, commit, tell. Up to the swap everything can be taken back; after it nothing is. */
  async #install(run: ManagerRun, built: T, origin: Origin): Promise<void> {
    const state = this.#state;
    const { updaters } = this.#options;
    const transition = { next: deepFreeze(built), previous: state.current };
    const changed = !isDeepStrictEqual(transition.next, transition.previous);
    const step = this.#steps.until(run.stopSignal);
    const report = (during: ConfigErrorSource, error: unknown) => state.report(during, error);
    if (changed) await prepareAll(updaters, transition, step, report);
    if (run.stopped) {
      if (changed) await rollbackAll(updaters, transition, step, report);
      throw new ClosedError(`config "${this.#options.key}": stopped during an update`);
    }
    state.swap(changed ? transition.next : transition.previous, origin);
    if (changed) {
      await commitAll(updaters, transition, step, report);
      state.tellApplied(transition.previous);
    }
    if (origin.source !== 'snapshot') {
      run.dropFallback();
      state.recover(); // a snapshot does not mend what etcd has
    }
    if (changed) state.subscribers.notify(transition.next, transition.previous);
  }

  #reject(run: ManagerRun, candidate: Candidate, reason: unknown): void {
    const rejection = reason instanceof Rejection ? reason : new Rejection('update', reason);
    const retrying = rejection.retryable && run.retryLater(candidate, this.#options.retryDelaysMs);
    if (candidate.origin === 'snapshot') {
      this.#state.report('snapshot', validationError(`${this.#options.key}: snapshot`, rejection));
      return;
    }
    const { phase, issues, cause: error } = rejection;
    const { version, revision } = candidate;
    this.#state.reject({ phase, issues, version, revision, retrying, error });
    run.offerFallback();
  }

  async #save(write: (file: SnapshotFile) => Promise<void>): Promise<void> {
    if (this.#snapshot === undefined) return;
    try {
      await write(this.#snapshot);
    } catch (error) {
      this.#state.report('snapshot', error);
    }
  }
}
