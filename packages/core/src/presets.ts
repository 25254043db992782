import { checkConfig } from './check-config.js';
import type { CoordConfig, CoordConfigInput } from './config.js';
import { fillIn } from './fill-in.js';

/**
 * What holds where nothing is given; a new object at each call, as with every preset.
 *
 * @param overrides what is to be different, as deep as it is needed
 * @throws {ValidationError} with every problem of the overrides
 * @example
 * ```ts
 * import { defaultConfig } from '@coord/core';
 *
 * console.log(defaultConfig().distributedLock.defaultTtlMs); // 30000
 * ```
 */
export function defaultConfig(overrides?: CoordConfigInput): CoordConfig {
  return preset({}, overrides);
}

/**
 * For a developer's machine: an etcd that is not there is told after 3 seconds, everything is logged (at a
 * `logger`), and 20 versions of a configuration are kept.
 *
 * @throws {ValidationError} with every problem of the overrides
 * @example
 * ```ts
 * import { createCoordinator, developmentConfig } from '@coord/core';
 *
 * const config = developmentConfig({ endpoints: ['127.0.0.1:2379'] });
 * const coordinator = await createCoordinator(config, { logger: console });
 * await coordinator.close();
 * ```
 */
export function developmentConfig(overrides?: CoordConfigInput): CoordConfig {
  return preset(
    { dialTimeoutMs: 3_000, logLevel: 'debug', configCenter: { maxVersionHistory: 20 } },
    overrides,
  );
}

/**
 * For production: more patience, metrics and traces (through whatever OpenTelemetry SDK the application has), and
 * instances that name a check are checked. **The endpoints must be given**, here or later: the list is empty
 * otherwise, which `createCoordinator` and `configure` refuse.
 *
 * @throws {ValidationError} with every problem of the overrides
 * @example
 * ```ts
 * import { createCoordinator, productionConfig } from '@coord/core';
 *
 * const config = productionConfig({ endpoints: ['127.0.0.1:2379'], distributedLock: { defaultTtlMs: 20_000 } });
 * const coordinator = await createCoordinator(config);
 * await coordinator.close();
 * ```
 */
export function productionConfig(overrides?: CoordConfigInput): CoordConfig {
  const production: CoordConfigInput = {
    endpoints: [],
    requestTimeoutMs: 10_000,
    retry: { maxAttempts: 8, maxDelayMs: 10_000 },
    enableMetrics: true,
    enableTracing: true,
    serviceRegistry: { enableHealthCheck: true },
  };
  return preset(production, overrides);
}

/**
 * For tests against a real etcd: what fails does so soon, and what a test leaves behind is gone after 5 seconds.
 *
 * @throws {ValidationError} with every problem of the overrides
 * @example
 * ```ts
 * import { createCoordinator, testConfig } from '@coord/core';
 *
 * const config = testConfig({ endpoints: ['127.0.0.1:2379'], namespace: '/test-run-1' });
 * const coordinator = await createCoordinator(config);
 * await coordinator.close();
 * ```
 */
export function testConfig(overrides?: CoordConfigInput): CoordConfig {
  const test: CoordConfigInput = {
    dialTimeoutMs: 1_000,
    requestTimeoutMs: 2_000,
    retry: { maxAttempts: 2, initialDelayMs: 20, maxDelayMs: 200 },
    logLevel: 'error',
    serviceRegistry: { ttlMs: 5_000 },
    distributedLock: { defaultTtlMs: 5_000 },
    configCenter: { maxVersionHistory: 10 },
  };
  return preset(test, overrides);
}

function preset(values: CoordConfigInput, overrides: CoordConfigInput = {}): CoordConfig {
  const config = fillIn(fillIn(defaults(), values), checkConfig(overrides));
  // Whether values fit together shows only now. Endpoints that are missing may yet be added.
  const { endpoints, ...rest } = config;
  checkConfig(endpoints.length === 0 ? rest : config);
  return config;
}

function defaults(): CoordConfig {
  return {
    endpoints: ['127.0.0.1:2379'],
    dialTimeoutMs: 5_000,
    requestTimeoutMs: 5_000,
    retry: { maxAttempts: 5, initialDelayMs: 200, maxDelayMs: 5_000, multiplier: 2 },
    logLevel: 'info',
    enableMetrics: false,
    enableTracing: false,
    serviceRegistry: {
      keyPrefix: '/services',
      ttlMs: 15_000,
      enableHealthCheck: false,
      healthCheckIntervalMs: 5_000,
    },
    distributedLock: { keyPrefix: '/locks', defaultTtlMs: 30_000, enableReentrant: true },
    configCenter: {
      keyPrefix: '/config',
      enableVersioning: true,
      enableValidation: true,
      maxVersionHistory: 100,
    },
  };
}
