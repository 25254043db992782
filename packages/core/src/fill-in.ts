import type {
  CompleteConfigCenter,
  CompleteDistributedLock,
  CompleteRetry,
  CompleteServiceRegistry,
  CoordConfig,
  CoordConfigInput,
} from './config.js';

/** What is given, and for the rest what the base says; sections are filled in each for itself. A new object. */
export function fillIn(base: CoordConfig, given: CoordConfigInput): CoordConfig {
  return {
    ...base,
    ...defined(given),
    retry: fillInRetry(base.retry, given.retry),
    serviceRegistry: fillInServiceRegistry(base.serviceRegistry, given.serviceRegistry),
    distributedLock: fillInDistributedLock(base.distributedLock, given.distributedLock),
    configCenter: fillInConfigCenter(base.configCenter, given.configCenter),
  };
}

export function fillInRetry(base: CompleteRetry, given: CoordConfigInput['retry']): CompleteRetry {
  return { ...base, ...defined(given) };
}

export function fillInServiceRegistry(
  base: CompleteServiceRegistry,
  given: CoordConfigInput['serviceRegistry'],
): CompleteServiceRegistry {
  // A codec knows where its system keeps the instances.
  const keyPrefix = given?.codec?.keyPrefix ?? base.keyPrefix;
  return { ...base, keyPrefix, ...defined(given) };
}

export function fillInDistributedLock(
  base: CompleteDistributedLock,
  given: CoordConfigInput['distributedLock'],
): CompleteDistributedLock {
  return { ...base, ...defined(given) };
}

export function fillInConfigCenter(
  base: CompleteConfigCenter,
  given: CoordConfigInput['configCenter'],
): CompleteConfigCenter {
  return { ...base, ...defined(given) };
}

type Defined<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the members that say nothing: in a spread they would wipe out what is there. */
function defined<T extends object>(given: T | undefined): Defined<T>;
function defined(given: object = {}): object {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
