import type { EtcdStatus } from './etcd-server.js';
import { bigintAt, type Gateway, type GatewayCallOptions, listAt, textAt } from './gateway.js';

/** A defragmentation stops everything else in the member. */
const DEFRAG_TIMEOUT_MS = 60_000;
/** Any key does: only the revision in the header counts. */
const LOWEST_KEY = Buffer.of(0).toString('base64');

/** What the member itself knows; no leader is needed for that. @internal */
export async function statusOf(gateway: Gateway, options: GatewayCallOptions = {}): Promise<EtcdStatus> {
  const answer = await gateway.post('maintenance/status', {}, options);
  const memberId = bigintAt(answer, 'header', 'member_id');
  const leaderId = bigintAt(answer, 'leader');
  return {
    memberId,
    leaderId: leaderId === 0n ? undefined : leaderId,
    isLeader: leaderId === memberId,
    raftTerm: bigintAt(answer, 'raftTerm'),
    revision: bigintAt(answer, 'header', 'revision'),
    dbSizeBytes: Number(bigintAt(answer, 'dbSize')),
    version: textAt(answer, 'version'),
  };
}

/** The latest revision of the cluster. @internal */
export async function currentRevision(gateway: Gateway): Promise<bigint> {
  return bigintAt(await gateway.post('kv/range', { key: LOWEST_KEY }), 'header', 'revision');
}

/** Resolves when the member has compacted. @internal */
export async function compactTo(gateway: Gateway, revision: bigint): Promise<void> {
  try {
    await gateway.post('kv/compaction', { revision: String(revision), physical: true });
  } catch (error) {
    if (!/required revision has been compacted/.test(String(error))) throw error; // else it is done already
  }
}

/** @internal */
export async function defragment(gateway: Gateway): Promise<void> {
  await gateway.post('maintenance/defragment', {}, { timeoutMs: DEFRAG_TIMEOUT_MS });
}

/** Ends the NOSPACE alarms of all members. @internal */
export async function disarmNospace(gateway: Gateway): Promise<void> {
  const answer = await gateway.post('maintenance/alarm', { action: 'GET' });
  for (const alarm of listAt(answer, 'alarms')) {
    if (textAt(alarm, 'alarm') !== 'NOSPACE') continue;
    const memberID = textAt(alarm, 'memberID');
    await gateway.post('maintenance/alarm', { action: 'DEACTIVATE', memberID, alarm: 'NOSPACE' });
  }
}

/** Has `memberId` lead. @internal */
export async function transferLeadership(gateway: Gateway, memberId: bigint): Promise<void> {
  await gateway.post('maintenance/transfer-leadership', { targetID: String(memberId) });
}
