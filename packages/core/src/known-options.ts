import type { ConfigCenterConfig, EncryptionConfig } from '@coord/config';
import type { DistributedLockConfig } from '@coord/lock';
import type { ServiceRegistryConfig } from '@coord/registry';

/** The names of options; `true` for a value that has no options of its own. */
export interface KnownNames {
  readonly [name: string]: true | KnownNames;
}

type NamesOf<T> = Readonly<Record<keyof T, true | KnownNames>>;

const ENCRYPTION = { keys: true, current: true } satisfies NamesOf<EncryptionConfig>;

/** The options of each part. `satisfies` makes the compiler miss one that is missing here. */
export const KNOWN_OPTIONS = {
  /** The client knows its own. */
  retry: undefined,
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
