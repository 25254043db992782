/** Kinds of locks, all of one name: they have nothing to do with each other. */
export type Kind = 'mutex' | 'read' | 'write' | 'permit';

export const KINDS_TTL_MS = 2_000;
/** Of the semaphore. */
export const PERMITS = 3;

/** Where the keys of a name are: see `packages/lock/src/lock-key.ts`. */
export interface KindKeys {
  readonly mutex: string;
  /** Every reader and writer has a key here. */
  readonly requests: string;
  /** And every writer one here, too. */
  readonly writers: string;
  /** A key ends with how many permits are asked for. */
  readonly permits: string;
  /** Is written by each holder, in a transaction of its lock: a `Use`. */
  readonly data: string;
}

export function kindKeys(run: string): KindKeys {
  return {
    mutex: `/locks/${run}/`,
    requests: `/coord/locks/rw/${run}/q/`,
    writers: `/coord/locks/rw/${run}/w/`,
    permits: `/coord/locks/sem/${run}/q/`,
    data: `/faults/${run}/data`,
  };
}

export function isKindQueueKey(key: string, run: string): boolean {
  const { mutex, requests, writers, permits } = kindKeys(run);
  return [mutex, requests, writers, permits].some((prefix) => key.startsWith(prefix));
}
