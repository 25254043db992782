import type { WaitOptions } from '@coord/client';
import {
  checkPositiveMs,
  checkWaitOptions,
  type IssueList,
  type NamesOf,
  WAIT_NAMES,
} from '@coord/client/internal';

/**
 * A watcher drops an instance at the first write, usually some milliseconds later. A second is for those that are
 * busy, or whose connection to etcd is just being replaced.
 */
export const DEFAULT_DRAIN_WAIT_MS = 1_000;

export interface DrainOptions extends WaitOptions {
  /**
   * How long to wait, once etcd has it that the instance is leaving, until everybody has heard of it: in
   * milliseconds, 0 = not at all. @default 1_000
   */
  readonly waitMs?: number | undefined;
}

const DRAIN_NAMES = { ...WAIT_NAMES, waitMs: true } satisfies NamesOf<DrainOptions>;

export function checkDrainOptions(issues: IssueList, options: DrainOptions | undefined): IssueList {
  const before = issues.length;
  checkWaitOptions(issues, options, DRAIN_NAMES);
  if (options === undefined || issues.length > before) return issues;
  const { waitMs } = options;
  return waitMs === undefined || waitMs === 0 ? issues : checkPositiveMs(issues, 'waitMs', waitMs);
}
