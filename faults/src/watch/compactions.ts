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

/**
 * The revisions up to which etcd compacted while it could forget to tell a slow watch of it, which then skips to the
 * present without a word: before 3.4.31 and 3.5.13 (https://github.com/etcd-io/etcd/issues/17529). None of a sound etcd.
 */
export function hiddenCompactions(
  versions: string,
  faults: readonly FaultEntry[],
  log: readonly EtcdEvent[],
): number[] {
  if (!HIDES_COMPACTIONS.test(versions)) return [];
  const ends = faults.filter(({ kind }) => kind === 'compaction').map(({ endedAt }) => endedAt);
  return ends.map((end) => log.findLast(({ seenAt }) => seenAt <= end)?.revision ?? 0);
}

const HIDES_COMPACTIONS = /\b3\.(4\.([12]?\d|30)|5\.(\d|1[0-2]))\b/;
