import type { WaitOptions } from '@coord/client';
import {
  assertValid,
  checkPositiveMs,
  checkTtlMs,
  checkWaitOptions,
  type IssueList,
  type NamesOf,
  type OptionNames,
  readInput,
  readOptions,
  show,
} from '@coord/client/internal';
import { checkKeyPrefix, checkQueueName, type QueueLayout } from './lock-key.js';

export const DEFAULT_KEY_PREFIX = '/locks';
export const DEFAULT_TTL_MS = 30_000;

/** How locks are kept. */
export interface DistributedLockConfig {
  /** Where the queues live; `etcdctl lock <keyPrefix>/<name>` shares them. @default '/locks' */
  readonly keyPrefix?: string | undefined;
  /**
   * How long a lock outlives a process that died, in milliseconds, rounded up to whole seconds; it
   * is renewed for as long as it is held. @default 30_000
   */
  readonly defaultTtlMs?: number | undefined;
  /**
   * An upper bound of the time between two renewals, in milliseconds: they happen every
   * min(`renewIntervalMs`, granted TTL / 3). At most `defaultTtlMs` / 2. @default a third of the granted TTL
   */
  readonly renewIntervalMs?: number | undefined;
  /** Whether `acquireReentrant` may be used. @default true */
  readonly enableReentrant?: boolean | undefined;
  /**
   * Whether a name's slashes are those of its key, so that mutex `jobs/a` is `etcdctl lock /locks/jobs/a`
   * and Go's `concurrency.Mutex` on `/locks/jobs/a`. Without it they are escaped (`%2F`), so that
   * `jobs` and `jobs/a` never block each other. Give all who share the locks the same. @default false
   */
  readonly rawNames?: boolean | undefined;
}

export interface AcquireOptions extends WaitOptions {
  /** Time to live in milliseconds, rounded up to whole seconds. @default `defaultTtlMs` */
  readonly ttlMs?: number | undefined;
  /** What the lock is for: shown to those who find it taken. At most 512 bytes. */
  readonly purpose?: string | undefined;
  /**
   * Wait even though the function that asks runs inside `withLock` of the same lock: for a task that
   * it starts and does not wait for. Without it this is reported, since it would never end. @default false
   */
  readonly allowNested?: boolean | undefined;
}

export interface ResolvedLockConfig extends QueueLayout {
  readonly defaultTtlMs: number;
  readonly renewIntervalMs: number | undefined;
  readonly enableReentrant: boolean;
}

const NAMES = {
  keyPrefix: true,
  defaultTtlMs: true,
  renewIntervalMs: true,
  enableReentrant: true,
  rawNames: true,
} satisfies NamesOf<DistributedLockConfig>;

/** @throws {ValidationError} naming every bad option, also one that does not exist */
export function resolveLockConfig(given?: DistributedLockConfig): ResolvedLockConfig {
  const issues: IssueList = [];
  const config = readOptions(issues, given, NAMES);
  const { keyPrefix = DEFAULT_KEY_PREFIX, defaultTtlMs = DEFAULT_TTL_MS, renewIntervalMs } = config;
  const { enableReentrant = true, rawNames = false } = config;
  checkKeyPrefix(issues, 'keyPrefix', keyPrefix);
  checkTtlMs(issues, 'defaultTtlMs', defaultTtlMs);
  if (renewIntervalMs !== undefined) checkRenewIntervalMs(issues, renewIntervalMs, defaultTtlMs);
  for (const [path, flag] of Object.entries({ enableReentrant, rawNames })) {
    if (typeof flag !== 'boolean') issues.push({ path, message: `must be a boolean, got ${show(flag)}` });
  }
  assertValid(issues);
  return Object.freeze({ keyPrefix, defaultTtlMs, renewIntervalMs, enableReentrant, rawNames });
}

/** @throws {ValidationError} naming everything wrong with the name and the options */
export function checkAcquire(
  key: unknown,
  options: AcquireOptions | undefined,
  layout: Pick<QueueLayout, 'rawNames'> = { rawNames: false },
  names?: OptionNames,
): void {
  assertValid(checkAcquireOptions(checkQueueName([], 'key', key, layout), options, names));
}

/** With `timeout` in the place of `timeoutMs` it would wait for ever. */
export const ACQUIRE_NAMES = {
  signal: true,
  timeoutMs: true,
  ttlMs: true,
  purpose: true,
  allowNested: true,
} satisfies NamesOf<AcquireOptions>;

export function checkAcquireOptions(
  issues: IssueList,
  options: AcquireOptions | undefined,
  names: OptionNames = ACQUIRE_NAMES,
): IssueList {
  checkWaitOptions(issues, options, names);
  if (options !== null) readInput('options', () => checkAcquireFields(issues, options ?? {}));
  return issues;
}

function checkAcquireFields(issues: IssueList, { ttlMs, purpose, allowNested }: AcquireOptions): void {
  if (ttlMs !== undefined) checkTtlMs(issues, 'ttlMs', ttlMs);
  if (purpose !== undefined) checkPurpose(issues, purpose);
  if (allowNested !== undefined && typeof allowNested !== 'boolean') {
    issues.push({ path: 'allowNested', message: `must be a boolean, got ${show(allowNested)}` });
  }
}

/** Later than half of the TTL, one lost answer would be enough to lose the lock. */
function checkRenewIntervalMs(issues: IssueList, renewIntervalMs: unknown, defaultTtlMs: number): void {
  const path = 'renewIntervalMs';
  checkPositiveMs(issues, path, renewIntervalMs);
  if (typeof renewIntervalMs === 'number' && renewIntervalMs > defaultTtlMs / 2) {
    const message = `must be at most half of defaultTtlMs (${defaultTtlMs / 2}), got ${renewIntervalMs}`;
    issues.push({ path, message });
  }
}

const MAX_PURPOSE_BYTES = 512;

function checkPurpose(issues: IssueList, purpose: unknown): void {
  if (typeof purpose !== 'string') {
    issues.push({ path: 'purpose', message: `must be a string, got ${show(purpose)}` });
  } else if (Buffer.byteLength(purpose) > MAX_PURPOSE_BYTES) {
    issues.push({ path: 'purpose', message: `must be at most ${MAX_PURPOSE_BYTES} bytes` });
  }
}
