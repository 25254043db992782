import type { EtcdEvent } from '../etcd-event.js';
import type { FaultEntry } from '../run/fault-log.js';

/**
 * No revision from here on was compacted in a run. etcd is asked to compact what the log has seen, so that
 * whatever was seen after the last compaction is certainly there. Before the first event
 * nobody knows: the cluster may have served others.
 */
export function compactedBefore(faults: readonly FaultEntry[], log: readonly EtcdEvent[]): number {
  const ends = faults.filter(({ kind }) => kind === 'compaction').map(({ endedAt }) => endedAt);
  const last = ends.reduce((latest, end) => Math.max(latest, end), Number.NEGATIVE_INFINITY);
  return log.find(({ seenAt }) => seenAt > last)?.revision ?? Number.POSITIVE_INFINITY;
}
