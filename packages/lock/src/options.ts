import type { WaitOptions } from '@coord/client';
import { assertValid, checkTtlMs, checkWaitOptions, type IssueList, show } from '@coord/client/internal';
import { checkKeyPrefix, checkLockName } from './lock-key.js';

export const DEFAULT_KEY_PREFIX = '/locks';
export const DEFAULT_TTL_MS = 30_000;

export interface DistributedLockConfig {
  /** Where the queues live; `etcdctl lock <keyPrefix>/<name>` shares them. @default '/locks' */
  readonly keyPrefix?: string | undefined;
  /**
   * How long a lock outlives a process that died, in milliseconds, rounded up to whole seconds; it
   * is renewed for as long as it is held. @default 30_000
   */
  readonly defaultTtlMs?: number | undefined;
}

export interface AcquireOptions extends WaitOptions {
  /** Time to live in milliseconds, rounded up to whole seconds. @default `defaultTtlMs` */
  readonly ttlMs?: number | undefined;
  /** What the lock is for: shown to those who find it taken. At most 512 bytes. */
  readonly purpose?: string | undefined;
}

export interface ResolvedLockConfig {
  readonly keyPrefix: string;
  readonly defaultTtlMs: number;
}

/** @throws {ValidationError} naming every bad option */
export function resolveLockConfig(config: DistributedLockConfig = {}): ResolvedLockConfig {
  const issues: IssueList = [];
  if (typeof config !== 'object' || config === null) {
    assertValid([{ path: 'options', message: `must be an object, got ${show(config)}` }]);
  }
  const { keyPrefix = DEFAULT_KEY_PREFIX, defaultTtlMs = DEFAULT_TTL_MS } = config;
  checkKeyPrefix(issues, 'keyPrefix', keyPrefix);
  checkTtlMs(issues, 'defaultTtlMs', defaultTtlMs);
  assertValid(issues);
  return Object.freeze({ keyPrefix, defaultTtlMs });
}

/** @throws {ValidationError} naming everything wrong with the name and the options */
export function checkAcquire(key: unknown, options: AcquireOptions | undefined): void {
  assertValid(checkAcquireOptions(checkLockName([], 'key', key), options));
}

export function checkAcquireOptions(issues: IssueList, options: AcquireOptions | undefined): IssueList {
  checkWaitOptions(issues, options);
  if (typeof options === 'object' && options !== null) {
    if (options.ttlMs !== undefined) checkTtlMs(issues, 'ttlMs', options.ttlMs);
    if (options.purpose !== undefined) checkPurpose(issues, options.purpose);
  }
  return issues;
}

const MAX_PURPOSE_BYTES = 512;

function checkPurpose(issues: IssueList, purpose: unknown): void {
  if (typeof purpose !== 'string') {
    issues.push({ path: 'purpose', message: `must be a string, got ${show(purpose)}` });
  } else if (Buffer.byteLength(purpose) > MAX_PURPOSE_BYTES) {
    issues.push({ path: 'purpose', message: `must be at most ${MAX_PURPOSE_BYTES} bytes` });
  }
}
