import {
  assertValid,
  checkPositiveMs,
  type IssueList,
  type NamesOf,
  readInput,
  readOptions,
  show,
} from '@coord/client/internal';
import { checkCodec, type ServiceCodec } from './service-codec.js';

/** How registrations are kept. */
export interface ServiceRegistryConfig {
  /** Instances live at `<keyPrefix>/<service>/<instance id>`. @default '/services', or the codec's */
  readonly keyPrefix?: string | undefined;
  /**
   * How long an instance outlives its process, in milliseconds, rounded up to whole seconds. etcd grants
   * at least about 2 seconds. @default 15_000
   */
  readonly ttlMs?: number | undefined;
  /**
   * How long cached discovery, `watchInstances` and the gRPC resolver hold on to the last instances when
   * they vanish without having said goodbye, in milliseconds; 0 = off. @default ttlMs
   */
  readonly emptyHoldMs?: number | undefined;
  /**
   * Whether instances that name a `check` are checked: by the process that registers them.
   * @default false
   */
  readonly enableHealthCheck?: boolean | undefined;
  /** The time between two checks of an instance, in milliseconds, give or take a tenth. @default 5_000 */
  readonly healthCheckIntervalMs?: number | undefined;
  /**
   * Discover what another system registers, such as `goKratosCodec()`. A registry with a codec only reads:
   * registering is a ValidationError.
   */
  readonly codec?: ServiceCodec | undefined;
  /**
   * A folder, which must be there, for the last known list of each service that is discovered: a process that
   * starts while etcd is away begins with them. One folder for one `namespace` of one cluster; several processes
   * may share it. It holds the instances as they are in etcd.
   */
  readonly snapshotDirectory?: string | undefined;
}

export interface ResolvedRegistryConfig {
  readonly keyPrefix: string;
  readonly ttlMs: number;
  readonly emptyHoldMs: number;
  readonly enableHealthCheck: boolean;
  readonly healthCheckIntervalMs: number;
  readonly codec: ServiceCodec | undefined;
  readonly snapshotDirectory: string | undefined;
}

export const DEFAULT_KEY_PREFIX = '/services';
export const DEFAULT_TTL_MS = 15_000;
export const DEFAULT_HEALTH_CHECK_INTERVAL_MS = 5_000;

const NAMES = {
  keyPrefix: true,
  ttlMs: true,
  emptyHoldMs: true,
  enableHealthCheck: true,
  healthCheckIntervalMs: true,
  codec: true,
  snapshotDirectory: true,
} satisfies NamesOf<ServiceRegistryConfig>;

/** @throws {ValidationError} naming everything that is wrong, also an option that does not exist */
export function resolveRegistryConfig(given?: ServiceRegistryConfig): ResolvedRegistryConfig {
  const issues: IssueList = [];
  const config = readOptions(issues, given, NAMES);
  const { codec, snapshotDirectory, ttlMs = DEFAULT_TTL_MS, emptyHoldMs = ttlMs } = config;
  const { enableHealthCheck = false, healthCheckIntervalMs = DEFAULT_HEALTH_CHECK_INTERVAL_MS } = config;
  readInput('codec', () => checkCodec(issues, codec));
  const { keyPrefix = codec?.keyPrefix ?? DEFAULT_KEY_PREFIX } = config;
  checkPrefix(issues, keyPrefix, codec?.keyPrefix === '');
  checkDirectory(issues, snapshotDirectory);
  checkPositiveMs(issues, 'ttlMs', ttlMs);
  if (emptyHoldMs !== 0) checkPositiveMs(issues, 'emptyHoldMs', emptyHoldMs);
  checkPositiveMs(issues, 'healthCheckIntervalMs', healthCheckIntervalMs);
  if (typeof enableHealthCheck !== 'boolean') {
    issues.push({
      path: 'enableHealthCheck',
      message: `must be true or false, got ${show(enableHealthCheck)}`,
    });
  }
  assertValid(issues);
  return Object.freeze({
    keyPrefix: keyPrefix.replace(/\/+$/, ''),
    ttlMs,
    emptyHoldMs,
    enableHealthCheck,
    healthCheckIntervalMs,
    codec,
    snapshotDirectory,
  });
}

function checkDirectory(issues: IssueList, directory: unknown): void {
  if (directory === undefined) return;
  const isText = typeof directory === 'string' && directory.isWellFormed();
  if (isText && directory !== '' && !directory.includes('\0')) return;
  issues.push({ path: 'snapshotDirectory', message: `must be the path of a folder, got ${show(directory)}` });
}

/** @param mayBeEmpty for a system that has no prefix; of our own, everything in etcd would be a service */
function checkPrefix(issues: IssueList, prefix: unknown, mayBeEmpty: boolean): void {
  const path = 'keyPrefix';
  if (typeof prefix !== 'string') issues.push({ path, message: `must be a string, got ${show(prefix)}` });
  else if (prefix === '' && mayBeEmpty) return;
  else if (prefix.replace(/\/+$/, '') === '') issues.push({ path, message: 'must not be empty or just "/"' });
  else if (!prefix.isWellFormed() || prefix.includes('\0')) {
    issues.push({ path, message: 'must be well-formed Unicode without NUL' });
  }
}
