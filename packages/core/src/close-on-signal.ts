import {
  assertValid,
  type CoordLogger,
  type IssueList,
  internalsOf,
  isArray,
  monotonicNow,
  show,
  Wait,
} from '@coord/client/internal';
import type { DrainOnSignalOptions, ServiceRegistry, SignalDrain } from '@coord/registry';
import {
  DEFAULT_SIGNAL_TIMEOUT_MS,
  drainAndServe,
  endOnSignal,
  readDrainOnSignalOptions,
} from '@coord/registry/internal';
import type { Coordinator } from './coordinator.js';

/** Those of `drainOnSignal`; `onDrained` is called before anything but the instances is given up. */
export type CloseOnSignalOptions = DrainOnSignalOptions;

/** What there is to end when the signal comes. */
export interface Endings {
  registries(): readonly ServiceRegistry[];
  close(timeoutMs: number): Promise<unknown>;
  logger(): CoordLogger | undefined;
}

/** For draining and `onDrained`: the rest is for the locks, which otherwise nobody gets before their leases end. */
const SERVING_SHARE = 2 / 3;

/**
 * Closes coordinators when the process is told to end: drains the instances, so that a rolling restart costs no
 * failed call, waits for `onDrained`, in which calls under way may finish, then releases the locks, revokes the leases
 * and disconnects, and ends the process.
 *
 * After two thirds of `timeoutMs` the locks are released whatever is not done yet. Other listeners of the signal are left
 * alone; with one of them the end of the process is theirs to decide, unless `exit` says so. A second signal ends the
 * process at once, where the first would have ended it.
 * @throws {ValidationError} for bad options
 * @example
 * ```ts
 * import { closeOnSignal, createCoordinator } from '@coord/core';
 *
 * const coordinator = await createCoordinator({ endpoints: ['127.0.0.1:2379'] });
 * const hook = closeOnSignal(coordinator, { signals: ['SIGTERM', 'SIGINT'], timeoutMs: 8_000 });
 * // … and when the application ends by itself:
 * await hook.close();
 * await coordinator.close();
 * ```
 */
export function closeOnSignal(
  coordinators: Coordinator | readonly Coordinator[],
  given?: CloseOnSignalOptions,
): SignalDrain {
  const list: readonly Coordinator[] = isArray(coordinators) ? [...coordinators] : [coordinators];
  const issues = checkCoordinators(list);
  const options = readDrainOnSignalOptions(issues, given);
  assertValid(issues);
  const [first] = list;
  const endings: Endings = {
    registries: () => list.map(({ registry }) => registry),
    close: (timeoutMs) => Promise.allSettled(list.map((coordinator) => coordinator.close({ timeoutMs }))),
    logger: () => first && internalsOf(first.client).logger,
  };
  return endOnSignalWith(endings, options);
}

/** @param options have been checked */
export function endOnSignalWith(endings: Endings, options: CloseOnSignalOptions): SignalDrain {
  const warn = (message: string, error?: unknown) =>
    endings.logger()?.warn(message, error === undefined ? {} : { error });
  const run = async (signal: NodeJS.Signals) => {
    const { timeoutMs = DEFAULT_SIGNAL_TIMEOUT_MS } = options;
    const endsAt = monotonicNow() + timeoutMs;
    using serving = new Wait({ timeoutMs: timeoutMs * SERVING_SHARE }, `what is to be done at ${signal}`);
    try {
      await serving.race(drainAndServe(endings.registries(), options, signal, warn));
    } catch (error) {
      warn('closing before it was done', error);
    }
    await endings.close(Math.max(1, endsAt - monotonicNow()));
  };
  return endOnSignal({ run, warn }, options);
}

function checkCoordinators(coordinators: readonly Coordinator[]): IssueList {
  const issues: IssueList = [];
  if (coordinators.length === 0) issues.push({ path: 'coordinators', message: 'must not be empty' });
  for (const [index, coordinator] of coordinators.entries()) {
    if (isCoordinator(coordinator)) continue;
    const message = `must be made by createCoordinator(), got ${show(coordinator)}`;
    issues.push({ path: `coordinators[${index}]`, message });
  }
  return issues;
}

/** Also one that another copy of this package has made. */
function isCoordinator(coordinator: Coordinator): boolean {
  try {
    internalsOf(coordinator.client);
    return typeof coordinator.registry.drain === 'function' && typeof coordinator.close === 'function';
  } catch {
    return false;
  }
}
