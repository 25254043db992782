import { isDeepStrictEqual } from 'node:util';
import { ClosedError } from '@coord/client';
import { monotonicNow, type Observer } from '@coord/client/internal';
import { deepFreeze } from '@coord/config/internal';
import { ackOf } from './ack-record.js';
import { buildConfig } from './build-config.js';
import type { Candidate } from './candidate.js';
import type { ConfigErrorSource } from './config-manager-types.js';
import { deepMerge } from './deep-merge.js';
import { isMain, isSame, revisionOf, type SuppliedPart, suppliedOf } from './layer.js';
import type { ManagerRun } from './manager-run.js';
import type { ManagerState, Origin } from './manager-state.js';
import type { ResolvedConfigManagerOptions } from './options.js';
import { Rejection, validationError } from './rejection.js';
import { commitAll, prepareAll, rollbackAll } from './run-updaters.js';
import type { SnapshotFile } from './snapshot-file.js';
import type { StepRunner } from './step-runner.js';

/** What it does to one candidate, validators and updaters included. */
const UPDATE = { name: 'coord.config.update' } as const;

/** The way of a candidate into use: build, prepare, swap, commit, tell, save. */
export class UpdatePipeline<T> {
  readonly #options: ResolvedConfigManagerOptions<T>;
  readonly #state: ManagerState<T>;
  readonly #steps: StepRunner;
  readonly #snapshot: SnapshotFile | undefined;
  readonly #observer: Observer | undefined;

  constructor(
    options: ResolvedConfigManagerOptions<T>,
    state: ManagerState<T>,
    steps: StepRunner,
    snapshot: SnapshotFile | undefined,
    observer: Observer | undefined,
  ) {
    this.#options = options;
    this.#state = state;
    this.#steps = steps;
    this.#snapshot = snapshot;
    this.#observer = observer;
  }

  /** Works off one candidate; the queue calls it for one at a time. Never rejects. */
  async process(run: ManagerRun, candidate: Candidate): Promise<void> {
    const startedAt = monotonicNow();
    const { origin, version, revision } = candidate;
    let outcome = 'applied';
    if (origin === 'remote' && !candidate.absent) this.#state.present(false);
    try {
      const take = () => this.#take(run, candidate);
      await (this.#observer?.trace(UPDATE, { key: this.#options.key, version, origin }, take) ?? take());
    } catch (error) {
      outcome = run.stopped ? 'abandoned' : 'rejected';
      if (!run.stopped) this.#reject(run, candidate, error);
    }
    if (origin === 'remote') run.workedOff(candidate);
    if (this.#state.following) this.settle(run);
    if (run.done !== undefined) run.announcer?.tell(ackOf(this.#state, run.done));
    if (!this.#state.logger.debugs) return;
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
    const state = this.#state;
    if (candidate.origin === 'snapshot' && (state.origin.source !== 'default' || state.absent)) return;
    const unusable = candidate.parts.find(({ content }) => content.kind === 'unusable');
    if (unusable?.content.kind === 'unusable') throw new Rejection('decode', unusable.content.error);
    const wasThere =
      !state.absent && state.origin.parts.some((part) => isMain(part) || part.layer === 'canary');
    const parts = this.#partsFor(run, candidate);
    if (!isSame(parts, state.origin.parts)) {
      const next = await buildConfig(this.#options, parts, this.#steps.until(run.stopSignal));
      await this.#install(run, next, originOf(candidate, parts));
    }
    if (candidate.origin === 'snapshot') return; // it does not mend what etcd has
    run.dropFallback();
    run.own = parts.find(isMain) ?? ownOf(candidate) ?? run.own;
    state.present(candidate.absent);
    if (candidate.absent && wasThere) state.tellDeleted(candidate);
    state.recover();
    if (this.#snapshot !== undefined) await this.#save(this.#snapshot, candidate);
  }

  /** What the candidate says; with `onDelete: 'keep'` a deleted value goes on as if it were there. */
  #partsFor(run: ManagerRun, candidate: Candidate): readonly SuppliedPart[] {
    const parts = suppliedOf(candidate.parts);
    const hidden = parts.some(({ layer }) => layer === 'canary') ? undefined : run.own;
    const kept = this.#state.origin.parts.find(isMain) ?? hidden;
    if (!candidate.absent || this.#options.onDelete === 'default' || kept === undefined) return parts;
    if (kept.layer === 'snapshot') return parts.length === 0 ? [kept] : parts; // it may hold other layers, and older
    const above = parts.findIndex(({ layer }) => layer !== 'shared');
    return above < 0 ? [...parts, kept] : parts.toSpliced(above, 0, kept);
  }

  /** Prepare, swap, commit, tell. Up to the swap everything can be taken back; after it nothing is. */
  async #install(run: ManagerRun, built: T, origin: Origin): Promise<void> {
    const state = this.#state;
    const { updaters } = this.#options;
    const transition = { next: deepFreeze(built), previous: state.current };
    const changed = !isDeepStrictEqual(transition.next, transition.previous);
    const updating = changed && updaters.length > 0;
    const step = this.#steps.until(run.stopSignal);
    const report = (during: ConfigErrorSource, error: unknown) => state.report(during, error);
    const stopped = () => new ClosedError(`config "${this.#options.key}": stopped during an update`);
    if (run.stopped) throw stopped();
    if (updating) await prepareAll(updaters, transition, step, report);
    if (run.stopped) {
      if (updating) await rollbackAll(updaters, transition, step, report);
      throw stopped();
    }
    state.swap(changed ? transition.next : transition.previous, origin);
    if (updating) await commitAll(updaters, transition, step, report);
    if (changed) state.tellApplied(transition.previous);
    if (origin.source !== 'snapshot') state.recover();
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

  /** Not what was kept although it is deleted, nor what holds for a while only: a canary keeps the one before. */
  async #save(snapshot: SnapshotFile, candidate: Candidate): Promise<void> {
    if (candidate.parts.some(({ layer }) => layer === 'canary')) return;
    const values = suppliedOf(candidate.parts).filter(({ layer }) => layer !== 'override');
    const { version } = candidate;
    const revision = revisionOf(values.length === 0 ? candidate.parts : values);
    try {
      if (values.length === 0) await snapshot.clear({ version, revision });
      else await snapshot.save({ value: mergeAll(values), version, revision });
    } catch (error) {
      this.#state.report('snapshot', error);
    }
  }
}

/** The key's own value, whether or not a canary stands in for it. */
function ownOf({ main }: Candidate): SuppliedPart | undefined {
  if (main?.content.kind !== 'value') return undefined;
  const { content, ...part } = main;
  return { ...part, value: content.value };
}

function originOf({ origin }: Candidate, parts: readonly SuppliedPart[]): Origin {
  const source = parts.length === 0 ? 'default' : origin;
  const main = parts.find(isMain) ?? parts.find(({ layer }) => layer === 'canary');
  return { source, version: main?.version ?? 0, revision: revisionOf(parts), parts };
}

function mergeAll(parts: readonly SuppliedPart[]): unknown {
  return parts.map(({ value }) => value).reduce((merged, value) => deepMerge(merged, value));
}
