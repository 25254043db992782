import { assertValid, checkPositiveMs, type IssueList, show } from '@coord/client/internal';

export interface ServiceRegistryConfig {
  /** Instances live at `<keyPrefix>/<service>/<instance id>`. @default '/services' */
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
}

export interface ResolvedRegistryConfig {
  readonly keyPrefix: string;
  readonly ttlMs: number;
  readonly emptyHoldMs: number;
}

export const DEFAULT_KEY_PREFIX = '/services';
export const DEFAULT_TTL_MS = 15_000;

/** @throws {ValidationError} naming everything that is wrong */
export function resolveRegistryConfig(config: ServiceRegistryConfig = {}): ResolvedRegistryConfig {
  const issues: IssueList = [];
  if (typeof config !== 'object' || config === null) {
    assertValid([{ path: 'options', message: `must be an object, got ${show(config)}` }]);
  }
  const { keyPrefix = DEFAULT_KEY_PREFIX, ttlMs = DEFAULT_TTL_MS, emptyHoldMs = ttlMs } = config;
  checkPrefix(issues, keyPrefix);
  checkPositiveMs(issues, 'ttlMs', ttlMs);
  if (emptyHoldMs !== 0) checkPositiveMs(issues, 'emptyHoldMs', emptyHoldMs);
  assertValid(issues);
  return Object.freeze({ keyPrefix: keyPrefix.replace(/\/+$/, ''), ttlMs, emptyHoldMs });
}

function checkPrefix(issues: IssueList, prefix: unknown): void {
  const path = 'keyPrefix';
  if (typeof prefix !== 'string') issues.push({ path, message: `must be a string, got ${show(prefix)}` });
  else if (prefix.replace(/\/+$/, '') === '') issues.push({ path, message: 'must not be empty or just "/"' });
  else if (!prefix.isWellFormed() || prefix.includes('\0')) {
    issues.push({ path, message: 'must be well-formed Unicode without NUL' });
  }
}
