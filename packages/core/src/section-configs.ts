import { assertValid, type IssueList, readInput } from '@coord/client/internal';
import { checkSection, type SectionName } from './check-config.js';
import type {
  CompleteConfigCenter,
  CompleteDistributedLock,
  CompleteRetry,
  CompleteServiceRegistry,
  CoordConfigInput,
} from './config.js';
import { copyOptions } from './copy-options.js';
import { fillInConfigCenter, fillInDistributedLock, fillInRetry, fillInServiceRegistry } from './fill-in.js';
import { defaultConfig } from './presets.js';

/**
 * The section `serviceRegistry`, checked and complete; a new object.
 *
 * @throws {ValidationError} with every problem, such as `ttlMs`
 * @example
 * ```ts
 * import { createCoordinator, serviceRegistryConfig } from '@coord/core';
 *
 * const serviceRegistry = serviceRegistryConfig({ keyPrefix: '/my-services', ttlMs: 60_000, enableHealthCheck: true });
 * const coordinator = await createCoordinator({ endpoints: ['127.0.0.1:2379'], serviceRegistry });
 * await coordinator.close();
 * ```
 */
export function serviceRegistryConfig(
  options?: CoordConfigInput['serviceRegistry'],
): CompleteServiceRegistry {
  return fillInServiceRegistry(defaultConfig().serviceRegistry, checked('serviceRegistry', options));
}

/**
 * The section `distributedLock`, checked and complete; a new object.
 *
 * @throws {ValidationError} with every problem, such as `renewIntervalMs`
 * @example
 * ```ts
 * import { distributedLockConfig } from '@coord/core';
 *
 * console.log(distributedLockConfig({ defaultTtlMs: 10_000 }).keyPrefix); // /locks
 * ```
 */
export function distributedLockConfig(
  options?: CoordConfigInput['distributedLock'],
): CompleteDistributedLock {
  return fillInDistributedLock(defaultConfig().distributedLock, checked('distributedLock', options));
}

/**
 * The section `configCenter`, checked and complete; a new object.
 *
 * @throws {ValidationError} with every problem, such as `maxVersionHistory`
 * @example
 * ```ts
 * import { configCenterConfig } from '@coord/core';
 *
 * console.log(configCenterConfig({ maxVersionHistory: 10 }).enableVersioning); // true
 * ```
 */
export function configCenterConfig(options?: CoordConfigInput['configCenter']): CompleteConfigCenter {
  return fillInConfigCenter(defaultConfig().configCenter, checked('configCenter', options));
}

/**
 * The option `retry`, checked and complete; a new object. `maxAttempts` counts the first attempt, too.
 *
 * @throws {ValidationError} with every problem, such as `multiplier`
 * @example
 * ```ts
 * import { retryConfig } from '@coord/core';
 *
 * console.log(retryConfig({ maxAttempts: 3 }).initialDelayMs); // 200
 * ```
 */
export function retryConfig(options?: CoordConfigInput['retry']): CompleteRetry {
  return fillInRetry(defaultConfig().retry, checked('retry', options));
}

/** Its problems are named as the caller of a single section knows them: without the section. */
function checked<N extends SectionName>(section: N, options: CoordConfigInput[N]): CoordConfigInput[N] {
  const copy = readInput(section, () => copyOptions(options));
  if (copy === undefined) return copy;
  const issues: IssueList = [];
  checkSection(issues, section, copy, '');
  assertValid(issues);
  return copy;
}
