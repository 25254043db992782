import { type ClientOptions, createClient, ValidationError } from '@coord/client';
import { assertValid, type IssueList, show } from '@coord/client/internal';
import { type ConfigCenterConfig, createConfigCenter } from '@coord/config';
import { createLocks, type DistributedLockConfig } from '@coord/lock';
import { createRegistry, type ServiceRegistryConfig } from '@coord/registry';
import type { CoordConfigInput } from './config.js';

/** The options of each part. `satisfies` makes the compiler miss one that is missing here. */
const KNOWN = {
  client: {
    endpoints: true,
    username: true,
    password: true,
    tls: true,
    namespace: true,
    dialTimeoutMs: true,
    requestTimeoutMs: true,
    keepAliveTimeMs: true,
    keepAliveTimeoutMs: true,
    retry: true,
    logger: true,
    logLevel: true,
    enableMetrics: true,
    enableTracing: true,
  } satisfies Record<keyof ClientOptions, true>,
  serviceRegistry: {
    keyPrefix: true,
    ttlMs: true,
    emptyHoldMs: true,
    enableHealthCheck: true,
    healthCheckIntervalMs: true,
    codec: true,
    snapshotDirectory: true,
  } satisfies Record<keyof ServiceRegistryConfig, true>,
  distributedLock: {
    keyPrefix: true,
    defaultTtlMs: true,
    renewIntervalMs: true,
    enableReentrant: true,
    rawNames: true,
  } satisfies Record<keyof DistributedLockConfig, true>,
  configCenter: {
    keyPrefix: true,
    enableVersioning: true,
    enableValidation: true,
    encryption: true,
    maxVersionHistory: true,
  } satisfies Record<keyof ConfigCenterConfig, true>,
};

/**
 * Lets each part check its own options. Does no I/O.
 * @returns a copy: what the caller changes in his object later on has not been checked
 * @throws {ValidationError} with the problems of all parts, such as `distributedLock.defaultTtlMs`
 */
export function checkConfig(config: CoordConfigInput): CoordConfigInput {
  if (!isPlainObject(config)) {
    throw new ValidationError([{ path: 'config', message: `must be an object, got ${show(config)}` }]);
  }
  const { serviceRegistry, distributedLock, configCenter, ...client } = config;
  const issues: IssueList = [];
  checkNames(issues, '', client, KNOWN.client);
  collect(issues, '', () => createClient(client));
  // Parts do nothing until they are used, and neither does the client that they are made on here.
  const standIn = createClient();
  checkSection(issues, 'serviceRegistry', serviceRegistry, (options) => createRegistry(standIn, options));
  checkSection(issues, 'distributedLock', distributedLock, (options) => createLocks(standIn, options));
  checkSection(issues, 'configCenter', configCenter, (options) => createConfigCenter(standIn, options));
  assertValid(issues);
  return {
    ...client,
    serviceRegistry: serviceRegistry && { ...serviceRegistry },
    distributedLock: distributedLock && { ...distributedLock },
    configCenter: configCenter && { ...configCenter },
  };
}

function checkSection<T>(
  issues: IssueList,
  name: Exclude<keyof typeof KNOWN, 'client'>,
  options: T | undefined,
  make: (options: T) => unknown,
): void {
  if (options === undefined) return;
  if (!isPlainObject(options)) {
    issues.push({ path: name, message: `must be an object, got ${show(options)}` });
    return;
  }
  checkNames(issues, `${name}.`, options, KNOWN[name]);
  collect(issues, `${name}.`, () => make(options));
}

/** A misspelt option would leave its default in force without a word. */
function checkNames(
  issues: IssueList,
  prefix: string,
  given: object,
  known: Readonly<Record<string, true>>,
): void {
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(known, name)) continue;
    issues.push({
      path: `${prefix}${name}`,
      message: `is no option; there are ${Object.keys(known).join(', ')}`,
    });
  }
}

function collect(issues: IssueList, prefix: string, make: () => unknown): void {
  try {
    make();
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    for (const { path, message } of error.issues) issues.push({ path: `${prefix}${path}`, message });
  }
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
