import { connect, createClient, type Logger, ValidationError, type WaitOptions } from '@coord/client';
import { assertValid, readInput, show } from '@coord/client/internal';
import { checkConfig } from './check-config.js';
import type { CoordConfigInput } from './config.js';
import type { Coordinator } from './coordinator.js';
import { WiredCoordinator } from './wired-coordinator.js';

/** What is not configuration. */
export interface CoordinatorOptions {
  /** Where to log; `console`, pino and winston fit. Wins over `logger` in the configuration. */
  readonly logger?: Logger | undefined;
}

/**
 * Connects to etcd, and resolves to locks, registry and configuration over that connection.
 *
 * @param config `{ endpoints }` alone is enough; without it etcd is looked for at 127.0.0.1:2379
 * @throws {ValidationError} naming every problem, such as `distributedLock.defaultTtlMs`, before anything is sent
 * @throws {ConnectionError} when no endpoint answers within `dialTimeoutMs`
 * @throws {AuthError} when etcd refuses the user or requires one
 * @throws {AbortedError} when `signal` fires
 * @example
 * ```ts
 * import { createCoordinator } from '@coord/core';
 *
 * const coordinator = await createCoordinator({ endpoints: ['127.0.0.1:2379'] });
 * try {
 *   await coordinator.lock.withLock('nightly-report', async (lock) => console.log(lock.fencingToken));
 * } finally {
 *   await coordinator.close();
 * }
 * ```
 */
export async function createCoordinator(
  config: CoordConfigInput = {},
  options: CoordinatorOptions & WaitOptions = {},
): Promise<Coordinator> {
  const checked = checkConfig(withLogger(config, options, ['logger', 'signal', 'timeoutMs']));
  const { signal, timeoutMs } = options;
  const client = await connect(checked, { signal, timeoutMs });
  return new WiredCoordinator(client, checked);
}

/** A coordinator that connects at its first use. The configuration has been checked. */
export function createLazyCoordinator(config: CoordConfigInput): Coordinator {
  return new WiredCoordinator(createClient(config), config);
}

/**
 * The configuration with the logger that is given beside it.
 * @param known the options that there are beside it
 * @throws {ValidationError} for others, such as those that belong into the configuration
 */
export function withLogger(
  config: CoordConfigInput,
  options: CoordinatorOptions,
  known: readonly string[] = ['logger'],
): CoordConfigInput {
  if (typeof options !== 'object' || options === null) {
    throw new ValidationError([{ path: 'options', message: `must be an object, got ${show(options)}` }]);
  }
  const names = readInput('options', () => Object.keys(options));
  const others = names.filter((name) => !known.includes(name));
  const message = `is no option beside the configuration; there are ${known.join(', ')}`;
  assertValid(others.map((name) => ({ path: `options.${name}`, message })));
  const logger = readInput('options', () => options.logger);
  return logger === undefined || typeof config !== 'object' || config === null
    ? config
    : { ...config, logger };
}
