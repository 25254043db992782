import type { ClientOptions, RetryOptions, TlsOptions } from '@coord/client';
import type { ConfigCenterConfig } from '@coord/config';
import type { DistributedLockConfig } from '@coord/lock';
import type { ServiceRegistryConfig } from '@coord/registry';
import type { CoordConfigInput } from './config.js';
import { flag, list, number, type ReadValue, text, word } from './env-values.js';

/** What cannot be given by a variable. */
const inCodeOnly = undefined;

type Variables<T> = Readonly<Record<keyof T, ReadValue | VariableTree | undefined>>;

export interface VariableTree {
  readonly [option: string]: ReadValue | VariableTree | undefined;
}

/** How the variable of each option is read. `satisfies` makes the compiler miss one that is missing here. */
export const VARIABLES = {
  endpoints: list,
  username: text,
  password: text,
  tls: {
    caFile: text,
    certFile: text,
    keyFile: text,
    serverName: text,
    ca: inCodeOnly,
    cert: inCodeOnly,
    key: inCodeOnly,
  } satisfies Variables<TlsOptions>,
  namespace: text,
  dialTimeoutMs: number,
  requestTimeoutMs: number,
  keepAliveTimeMs: number,
  keepAliveTimeoutMs: number,
  retry: {
    maxAttempts: number,
    initialDelayMs: number,
    maxDelayMs: number,
    multiplier: number,
  } satisfies Variables<RetryOptions>,
  logger: inCodeOnly,
  logLevel: word,
  enableMetrics: flag,
  enableTracing: flag,
  serviceRegistry: {
    keyPrefix: text,
    ttlMs: number,
    emptyHoldMs: number,
    enableHealthCheck: flag,
    healthCheckIntervalMs: number,
    snapshotDirectory: text,
    codec: inCodeOnly,
  } satisfies Variables<ServiceRegistryConfig>,
  distributedLock: {
    keyPrefix: text,
    defaultTtlMs: number,
    renewIntervalMs: number,
    enableReentrant: flag,
    rawNames: flag,
  } satisfies Variables<DistributedLockConfig>,
  configCenter: {
    keyPrefix: text,
    enableVersioning: flag,
    enableValidation: flag,
    maxVersionHistory: number,
    encryption: inCodeOnly,
  } satisfies Variables<ConfigCenterConfig>,
} satisfies Variables<CoordConfigInput & ClientOptions>;

export const PRESET_VARIABLE = 'COORD_PRESET';

/** `COORD_DISTRIBUTED_LOCK_DEFAULT_TTL_MS` for `distributedLock.defaultTtlMs`, `COORD_ENDPOINTS[1]` for `endpoints[1]`. */
export function variableOf(option: string): string {
  const words = option.replaceAll('.', '_').replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_');
  return `COORD_${words.toUpperCase()}`;
}

/** The names of all variables. */
export function variableNames(): string[] {
  return [PRESET_VARIABLE, ...optionsIn(VARIABLES).map(variableOf)];
}

function optionsIn(tree: VariableTree, prefix = ''): string[] {
  return Object.entries(tree).flatMap(([name, node]) => {
    if (node === undefined) return [];
    return typeof node === 'function' ? `${prefix}${name}` : optionsIn(node, `${prefix}${name}.`);
  });
}
