/**
 * One coordinator for the whole process. It is made at its first use and connects by itself, so importing
 * this does nothing. Every function has the signature of its counterpart on a `Coordinator`.
 */
import { AbortedError, CoordError, type PingResult, type WaitOptions } from '@coord/client';
import { assertValid, checkWaitOptions, type IssueList, internalsOf } from '@coord/client/internal';
import type {
  ConfigValue,
  ConfigWatch,
  GetConfigOptions,
  SetConfigOptions,
  WatchConfigOptions,
} from '@coord/config';
import type { ConnectionOptions, ServiceConnection } from '@coord/grpc-resolver';
import type {
  AcquireOptions,
  AcquireReentrantOptions,
  Lock,
  ReadLock,
  ReentrantLock,
  WriteLock,
} from '@coord/lock';
import type {
  DiscoverOptions,
  RegisterOptions,
  Registration,
  ServiceInfo,
  ServiceRegistration,
  SignalDrain,
} from '@coord/registry';
import { readDrainOnSignalOptions } from '@coord/registry/internal';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { checkConfig } from './check-config.js';
import { type CloseOnSignalOptions, endOnSignalWith } from './close-on-signal.js';
import type { CoordConfigInput } from './config.js';
import type { Coordinator } from './coordinator.js';
import { type CoordinatorOptions, createLazyCoordinator, withLogger } from './create-coordinator.js';

let settings: CoordConfigInput = {};
let shared: Coordinator | undefined;
/** Used before, and not closed to the end yet. */
const ending = new Set<Coordinator>();

function coordinator(): Coordinator {
  shared ??= createLazyCoordinator(settings);
  return shared;
}

/**
 * Says what the shared coordinator is to be made with. Without it: the defaults. Does no I/O.
 *
 * @throws {ValidationError} naming every problem
 * @throws {CoordError} `COORD_IN_USE` when the shared coordinator has been used: call this before, or after `close()`
 * @example
 * ```ts
 * import { acquireLock, close, configure } from '@coord/core/global';
 *
 * configure({ endpoints: ['127.0.0.1:2379'] });
 * const lock = await acquireLock('nightly-report');
 * await lock.release();
 * await close();
 * ```
 */
export function configure(config: CoordConfigInput, options: CoordinatorOptions = {}): void {
  if (shared !== undefined) {
    const remedy = 'call it before the first use, or after close()';
    throw new CoordError(
      'COORD_IN_USE',
      `configure: the shared coordinator is in use with its present configuration; ${remedy}`,
    );
  }
  settings = checkConfig(withLogger(config, options));
}

/** Asks etcd whether it is there. @throws {ConnectionError} naming every endpoint tried */
export async function ping(options?: WaitOptions): Promise<PingResult> {
  return await coordinator().ping(options);
}

/**
 * Deregisters, releases and disconnects what was used; nothing to do if nothing was. The next use makes a new
 * coordinator, with the same configuration unless `configure` is called.
 */
export async function close(options?: WaitOptions): Promise<void> {
  // Bad options and a signal that has fired reject here, while nothing has been closed.
  assertValid(checkWaitOptions([], options));
  if (options?.signal?.aborted) {
    throw new AbortedError('close of the shared coordinator: aborted by the caller', {
      cause: options.signal.reason,
    });
  }
  if (shared !== undefined) ending.add(shared);
  shared = undefined;
  await Promise.all(
    [...ending].map(async (each) => {
      await each.close(options);
      ending.delete(each);
    }),
  );
}

/**
 * Closes what is then in use when the process is told to end, as `closeOnSignal` of `@coord/core` does. It may be
 * called before the first use.
 * @throws {ValidationError} for bad options
 * @example
 * ```ts
 * import { closeOnSignal } from '@coord/core/global';
 *
 * const hook = closeOnSignal({ signals: ['SIGTERM', 'SIGINT'] });
 * await hook.close(); // stops listening
 * ```
 */
export function closeOnSignal(given?: CloseOnSignalOptions): SignalDrain {
  const issues: IssueList = [];
  const options = readDrainOnSignalOptions(issues, given);
  assertValid(issues);
  const endings = {
    registries: () => (shared === undefined ? [] : [shared.registry]),
    close: (timeoutMs: number) => close({ timeoutMs }),
    logger: () => shared && internalsOf(shared.client).logger,
  };
  return endOnSignalWith(endings, options);
}

/** Registers an instance: see `ServiceRegistry.register`. */
export async function registerService(
  service: ServiceRegistration,
  options?: RegisterOptions,
): Promise<Registration> {
  return await coordinator().registry.register(service, options);
}

/** Ends a registration: see `ServiceRegistry.deregister`. */
export async function deregisterService(
  serviceName: string,
  instanceId: string,
  options?: WaitOptions,
): Promise<void> {
  await coordinator().registry.deregister(serviceName, instanceId, options);
}

/** The instances of a service: see `ServiceRegistry.discover`. */
export async function discoverServices(
  serviceName: string,
  options?: DiscoverOptions,
): Promise<ServiceInfo[]> {
  return await coordinator().registry.discover(serviceName, options);
}

/** A gRPC connection that follows a service: see `Coordinator.getConnection`. */
export async function getServiceConnection(
  serviceName: string,
  options?: ConnectionOptions,
): Promise<ServiceConnection> {
  return await coordinator().getConnection(serviceName, options);
}

/** Waits for a lock: see `DistributedLock.acquire`. */
export async function acquireLock(key: string, options?: AcquireOptions): Promise<Lock> {
  return await coordinator().lock.acquire(key, options);
}

/** Waits for a lock that its owner may enter again: see `DistributedLock.acquireReentrant`. */
export async function acquireReentrantLock(
  key: string,
  options?: AcquireReentrantOptions,
): Promise<ReentrantLock> {
  return await coordinator().lock.acquireReentrant(key, options);
}

/** Waits for a lock that readers share: see `DistributedLock.acquireReadLock`. */
export async function acquireReadLock(key: string, options?: AcquireOptions): Promise<ReadLock> {
  return await coordinator().lock.acquireReadLock(key, options);
}

/** Waits for a lock without readers: see `DistributedLock.acquireWriteLock`. */
export async function acquireWriteLock(key: string, options?: AcquireOptions): Promise<WriteLock> {
  return await coordinator().lock.acquireWriteLock(key, options);
}

type Output<S extends StandardSchemaV1> = StandardSchemaV1.InferOutput<S>;

/** A value and its version, checked by a schema: see `ConfigCenter.get`. */
export function getConfig<S extends StandardSchemaV1>(
  key: string,
  options: GetConfigOptions<S> & { readonly schema: S },
): Promise<ConfigValue<Output<S>>>;
/** A value and its version: see `ConfigCenter.get`. */
export function getConfig<T = unknown>(key: string, options?: GetConfigOptions): Promise<ConfigValue<T>>;
export async function getConfig<T>(key: string, options?: GetConfigOptions): Promise<ConfigValue<T>> {
  return await coordinator().config.get<T>(key, options);
}

/** Writes a value: see `ConfigCenter.set`. */
export async function setConfig<T>(
  key: string,
  value: T,
  options?: SetConfigOptions,
): Promise<ConfigValue<T>> {
  return await coordinator().config.set(key, value, options);
}

/** Follows one key. @throws {ValidationError} for a bad key or option */
export function watchConfig<S extends StandardSchemaV1>(
  key: string,
  options: WatchConfigOptions<S> & { readonly schema: S },
): ConfigWatch<Output<S>>;
export function watchConfig<T = unknown>(key: string, options?: WatchConfigOptions): ConfigWatch<T>;
export function watchConfig<T>(key: string, options?: WatchConfigOptions): ConfigWatch<T> {
  return coordinator().config.watch<T>(key, options);
}
