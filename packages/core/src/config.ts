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
  readonly retry: CompleteRetry;
  readonly logLevel: LogLevel;
  readonly enableMetrics: boolean;
  readonly enableTracing: boolean;
  readonly serviceRegistry: CompleteServiceRegistry;
  readonly distributedLock: CompleteDistributedLock;
  readonly configCenter: CompleteConfigCenter;
}

/** `retry` with every value given. */
export type CompleteRetry = Readonly<Record<keyof RetryOptions, number>>;

/** `serviceRegistry` with every value given that has a default. */
export interface CompleteServiceRegistry extends ServiceRegistryConfig {
  readonly keyPrefix: string;
  readonly ttlMs: number;
  readonly enableHealthCheck: boolean;
  readonly healthCheckIntervalMs: number;
}

/** `distributedLock` with every value given that has a default. */
export interface CompleteDistributedLock extends DistributedLockConfig {
  readonly keyPrefix: string;
  readonly defaultTtlMs: number;
  readonly enableReentrant: boolean;
}

/** `configCenter` with every value given that has a default. */
export interface CompleteConfigCenter extends ConfigCenterConfig {
  readonly keyPrefix: string;
  readonly enableVersioning: boolean;
  readonly enableValidation: boolean;
  readonly maxVersionHistory: number;
}
