import type { ClientOptions, RetryOptions, TlsOptions } from '@coord/client';
import type { ConfigCenterConfig, EncryptionConfig } from '@coord/config';
import type { DistributedLockConfig } from '@coord/lock';
import type { ServiceRegistryConfig } from '@coord/registry';

/** The names of options; `true` for a value that has no options of its own. */
export interface KnownNames {
  readonly [name: string]: true | KnownNames;
}

type NamesOf<T> = Readonly<Record<keyof T, true | KnownNames>>;

const TLS = {
  caFile: true,
  certFile: true,
  keyFile: true,
  ca: true,
  cert: true,
  key: true,
  serverName: true,
} satisfies NamesOf<TlsOptions>;

const RETRY = {
  maxAttempts: true,
  initialDelayMs: true,
  maxDelayMs: true,
  multiplier: true,
} satisfies NamesOf<RetryOptions>;

const ENCRYPTION = { keys: true, current: true } satisfies NamesOf<EncryptionConfig>;

/** The options of each part. `satisfies` makes the compiler miss one that is missing here. */
export const KNOWN_OPTIONS = {
  client: {
    endpoints: true,
    username: true,
    password: true,
    tls: TLS,
    namespace: true,
    dialTimeoutMs: true,
    requestTimeoutMs: true,
    keepAliveTimeMs: true,
    keepAliveTimeoutMs: true,
    retry: RETRY,
    logger: true,
    logLevel: true,
    enableMetrics: true,
    enableTracing: true,
  } satisfies NamesOf<ClientOptions>,
  retry: RETRY,
  serviceRegistry: {
    keyPrefix: true,
    ttlMs: true,
    emptyHoldMs: true,
    enableHealthCheck: true,
    healthCheckIntervalMs: true,
    codec: true,
    snapshotDirectory: true,
  } satisfies NamesOf<ServiceRegistryConfig>,
  distributedLock: {
    keyPrefix: true,
    defaultTtlMs: true,
    renewIntervalMs: true,
    enableReentrant: true,
    rawNames: true,
  } satisfies NamesOf<DistributedLockConfig>,
  configCenter: {
    keyPrefix: true,
    enableVersioning: true,
    enableValidation: true,
    encryption: ENCRYPTION,
    maxVersionHistory: true,
  } satisfies NamesOf<ConfigCenterConfig>,
};
