import { ClosedError } from '@coord/client';
import {
  assertValid,
  checkFunction,
  checkPositiveMs,
  type IssueList,
  isArray,
  type NamesOf,
  readOptions,
  show,
} from '@coord/client/internal';
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
  given?: DrainOnSignalOptions,
): SignalDrain {
  const list: readonly ServiceRegistry[] = isArray(registries) ? [...registries] : [registries];
  const issues = checkRegistries([], list);
  const options = readDrainOnSignalOptions(issues, given);
  assertValid(issues);
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

const NAMES = {
  signals: true,
  timeoutMs: true,
  exit: true,
  waitMs: true,
  onDrained: true,
} satisfies NamesOf<DrainOnSignalOptions>;

export function readDrainOnSignalOptions(
  issues: IssueList,
  given: DrainOnSignalOptions | undefined,
): DrainOnSignalOptions {
  const options = readOptions(issues, given, NAMES);
  checkSignalOptions(issues, options);
  const { waitMs, onDrained } = options;
  if (waitMs !== undefined && waitMs !== 0) checkPositiveMs(issues, 'waitMs', waitMs);
  if (onDrained !== undefined) checkFunction(issues, 'onDrained', onDrained);
  return options;
}

function checkRegistries(issues: IssueList, registries: readonly ServiceRegistry[]): IssueList {
  if (registries.length === 0) issues.push({ path: 'registries', message: 'must not be empty' });
  for (const [index, registry] of registries.entries()) {
    if (registryInternalsOf(registry) !== undefined) continue;
    issues.push({
      path: `registries[${index}]`,
      message: `must be made by createRegistry(), got ${show(registry)}`,
    });
  }
  return issues;
}
