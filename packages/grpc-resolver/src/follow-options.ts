import { checkPositiveMs, type IssueList, type NamesOf, readInput } from '@coord/client/internal';
import type { SubsetOptions } from '@coord/registry';
import { checkSubset } from '@coord/registry/internal';

/** How channels follow their services. */
export interface FollowOptions {
  /** How long a call waits for the first answer of etcd before it fails as UNAVAILABLE. @default 5_000 */
  readonly patienceMs?: number | undefined;
  /**
   * Connect to so many of a large service's healthy instances only, chosen by rendezvous hashing. @default all
   * @example
   * await getConnection(registry, 'user-service', { subset: { size: 20, seed: process.env.HOSTNAME } });
   */
  readonly subset?: SubsetOptions | undefined;
}

export interface ResolvedFollowOptions {
  readonly patienceMs: number;
  readonly subset: SubsetOptions | undefined;
}

const DEFAULT_PATIENCE_MS = 5_000;

export function checkFollowOptions(issues: IssueList, { patienceMs, subset }: FollowOptions): void {
  if (patienceMs !== undefined) checkPositiveMs(issues, 'patienceMs', patienceMs);
  readInput('subset', () => checkSubset(issues, subset));
}

/** The names of the options, for those that have more. */
export const FOLLOW_NAMES = { patienceMs: true, subset: true } satisfies NamesOf<FollowOptions>;

/** A copy: what the caller changes later on has not been checked. */
export function resolveFollowOptions({
  patienceMs = DEFAULT_PATIENCE_MS,
  subset,
}: FollowOptions): ResolvedFollowOptions {
  return { patienceMs, subset: subset && { ...subset } };
}
