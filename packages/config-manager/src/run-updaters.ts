import type { RunStep } from './build-config.js';
import type { TwoPhaseUpdater } from './options.js';
import { Rejection } from './rejection.js';

/** A step from one configuration to the next. */
export interface Transition<T> {
  readonly next: Readonly<T>;
  readonly previous: Readonly<T>;
}

export type ReportError = (during: 'commit' | 'rollback', error: unknown) => void;

/**
 * Prepares all updaters, in order. When one fails, those before it are rolled back, last first.
 * @throws {Rejection}
 */
export async function prepareAll<T>(
  updaters: readonly TwoPhaseUpdater<T>[],
  { next, previous }: Transition<T>,
  run: RunStep,
  report: ReportError,
): Promise<void> {
  for (const [index, updater] of updaters.entries()) {
    try {
      await run('updater', (context) => updater.prepare?.(next, previous, context));
    } catch (error) {
      await rollbackAll(updaters.slice(0, index), { next, previous }, run, report);
      throw new Rejection('update', error);
    }
  }
}

export async function rollbackAll<T>(
  updaters: readonly TwoPhaseUpdater<T>[],
  { next, previous }: Transition<T>,
  run: RunStep,
  report: ReportError,
): Promise<void> {
  for (const updater of [...updaters].reverse()) {
    try {
      await run('rollback', (context) => updater.rollback?.(next, previous, context));
    } catch (error) {
      report('rollback', error);
    }
  }
}

/** After the swap there is no way back: failures are reported, and the others still commit. */
export async function commitAll<T>(
  updaters: readonly TwoPhaseUpdater<T>[],
  { next, previous }: Transition<T>,
  run: RunStep,
  report: ReportError,
): Promise<void> {
  for (const updater of updaters) {
    try {
      await run('commit', (context) => updater.commit?.(next, previous, context));
    } catch (error) {
      report('commit', error);
    }
  }
}
