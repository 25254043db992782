import { ClosedError } from '@coord/client';
import { assertValid, checkPositiveMs, type IssueList, show } from '@coord/client/internal';
import {
  checkSignalOptions,
  type EndOnSignalOptions,
  endOnSignal,
  type SignalDrain,
  type SignalWork,
} from './end-on-signal.js';
import { registryInternalsOf } from './registry-internals.js';
import type { ServiceRegistry } from './service-registry.js';

/** How long a drain waits, and whom it tells. */
export interface DrainOnSignalOptions extends EndOnSignalOptions {
  /** See {@link DrainOptions.waitMs}. @default 1_000 */
  readonly waitMs?: number | undefined;
  /** Called once nobody sends calls here any more: the place to let those under way finish. May be async. */
  readonly onDrained?: ((signal: NodeJS.Signals) => unknown) | undefined;
}

/**
 * Drains registries when the process is told to end, so that a rolling restart costs no failed call. Other listeners
 * of the signal are left alone. A second signal ends the process at once, where the first would have ended it.
 * @throws {ValidationError} for bad options
 * @example
 * ```ts
 * import { connect } from '@coord/client';
 * import { createRegistry, drainOnSignal } from '@coord/registry';
 * import * as grpc from '@grpc/grpc-js';
 *
 * const client = await connect({ endpoints: ['127.0.0.1:2379'] });
 * const registry = createRegistry(client);
 * const server = new grpc.Server();
 * const hook = drainOnSignal(registry, {
 *   onDrained: () => new Promise<void>((done) => server.tryShutdown(() => done())),
 * });
 * // … and when the application ends by itself:
 * await hook.close();
 * await registry.close();
 * await client.close();
 * ```
 */
export function drainOnSignal(
  registries: ServiceRegistry | readonly ServiceRegistry[],
  options: DrainOnSignalOptions = {},
): SignalDrain {
  const list: readonly ServiceRegistry[] = Array.isArray(registries) ? registries : [registries];
  assertValid(checkDrainOnSignalOptions(checkRegistries([], list), options));
  const [first] = list;
  const warn: SignalWork['warn'] = (message, error) => {
    const logger = first && registryInternalsOf(first)?.logger;
    logger?.warn(message, error === undefined ? {} : { error });
  };
  return endOnSignal({ run: (signal) => drainAndServe(list, options, signal, warn), warn }, options);
}

/** Never rejects: what fails is told. */
export async function drainAndServe(
  registries: readonly ServiceRegistry[],
  { waitMs, onDrained }: DrainOnSignalOptions,
  signal: NodeJS.Signals,
  warn: SignalWork['warn'],
): Promise<void> {
  const drained = await Promise.allSettled(registries.map((registry) => registry.drain({ waitMs })));
  for (const outcome of drained) {
    if (outcome.status === 'fulfilled' || outcome.reason instanceof ClosedError) continue;
    warn('registry not drained', outcome.reason);
  }
  try {
    await onDrained?.(signal);
  } catch (error) {
    warn('onDrained failed', error);
  }
}

export function checkDrainOnSignalOptions(issues: IssueList, options: DrainOnSignalOptions): IssueList {
  if (!checkSignalOptions(issues, options)) return issues;
  const { waitMs, onDrained } = options;
  if (waitMs !== undefined && waitMs !== 0) checkPositiveMs(issues, 'waitMs', waitMs);
  if (onDrained !== undefined && typeof onDrained !== 'function') {
    issues.push({ path: 'onDrained', message: `must be a function, got ${show(onDrained)}` });
  }
  return issues;
}

function checkRegistries(issues: IssueList, registries: readonly ServiceRegistry[]): IssueList {
  if (registries.length === 0) issues.push({ path: 'registries', message: 'must not be empty' });
  for (const [index, registry] of registries.entries()) {
    if (typeof registry === 'object' && registry !== null && typeof registry.drain === 'function') continue;
    issues.push({
      path: `registries[${index}]`,
      message: `must be made by createRegistry(), got ${show(registry)}`,
    });
  }
  return issues;
}
