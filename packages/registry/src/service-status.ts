import type { CacheSource } from '@coord/client';

/** What is known about the list of a service that cached `discover` and `watchInstances` give. */
export interface ServiceStatus {
  /**
   * `live`: follows etcd. `stale`: the last known list; etcd cannot be reached, or refuses. `disk`: what an
   * earlier process had written down; etcd has not answered yet.
   */
  readonly source: CacheSource;
  /** Milliseconds since the list was last known to follow etcd; 0 while live. */
  readonly ageMs: number;
  /** The revision of etcd that the list shows. */
  readonly revision: bigint;
  /** Instances in the list, whatever their health. */
  readonly instances: number;
  readonly healthy: number;
  /** Of these, how many have gone without a word and are held because nobody else is left. See `emptyHoldMs`. */
  readonly held: number;
  /** Why it is not followed, when etcd answers and refuses. */
  readonly failure?: unknown;
  /** With the revision as a decimal string. */
  toJSON(): object;
}

export function statusOf(status: Omit<ServiceStatus, 'toJSON'>): ServiceStatus {
  const { revision, failure } = status;
  const message = failure instanceof Error ? failure.message : undefined;
  return Object.freeze({
    ...status,
    toJSON: () => ({ ...status, revision: String(revision), ...(message && { failure: message }) }),
  });
}
