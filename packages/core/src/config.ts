import type { ClientOptions, LogLevel, RetryOptions } from '@coord/client';
import type { ConfigCenterConfig } from '@coord/config';
import type { DistributedLockConfig } from '@coord/lock';
import type { ServiceRegistryConfig } from '@coord/registry';

/** What a coordinator can be given: the client's options, and a section for each part. Everything is optional. */
export interface CoordConfigInput extends ClientOptions {
  readonly serviceRegistry?: ServiceRegistryConfig | undefined;
  readonly distributedLock?: DistributedLockConfig | undefined;
  readonly configCenter?: ConfigCenterConfig | undefined;
}

/** A configuration with its values filled in, to read or to build on: `{ ...defaultConfig(), endpoints }`. */
export interface CoordConfig extends CoordConfigInput {
  readonly endpoints: readonly string[];
  readonly dialTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly retry: Readonly<Record<keyof RetryOptions, number>>;
  readonly logLevel: LogLevel;
  readonly serviceRegistry: ServiceRegistryConfig & {
    readonly keyPrefix: string;
    readonly ttlMs: number;
    readonly enableHealthCheck: boolean;
    readonly healthCheckIntervalMs: number;
  };
  readonly distributedLock: DistributedLockConfig & {
    readonly keyPrefix: string;
    readonly defaultTtlMs: number;
  };
  readonly configCenter: ConfigCenterConfig & {
    readonly keyPrefix: string;
    readonly enableVersioning: boolean;
    readonly enableValidation: boolean;
    readonly maxVersionHistory: number;
  };
}

/**
 * What holds where nothing is given; a new object at each call.
 *
 * @example
 * ```ts
 * import { defaultConfig } from '@coord/core';
 *
 * console.log(defaultConfig().distributedLock.defaultTtlMs); // 30000
 * ```
 */
export function defaultConfig(): CoordConfig {
  return {
    endpoints: ['127.0.0.1:2379'],
    dialTimeoutMs: 5_000,
    requestTimeoutMs: 5_000,
    retry: { maxAttempts: 5, initialDelayMs: 200, maxDelayMs: 5_000, multiplier: 2 },
    logLevel: 'info',
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
