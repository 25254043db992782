import type { Cluster, ClusterMember } from '@coord/testkit';
import type { EtcdLog } from './etcd-log.js';

/** Where a fault strikes, and how long it stays. */
export interface Scene {
  readonly cluster: Cluster;
  readonly member: ClusterMember;
  /** Resolves when the fault has lasted long enough, so many times over. */
  hold(times?: number): Promise<void>;
  /** Resolves after so long, or when the run is at its end. */
  sleep(ms: number): Promise<void>;
  /** Does what is a fault of its own, in the midst of this one, and writes it down as that. */
  also(kind: FaultKind, work: () => Promise<unknown>): Promise<void>;
  /** Of etcd's log: what has been read of it may be compacted. */
  readonly log: Pick<EtcdLog, 'revision' | 'caughtUp'>;
}

export type Fault = (scene: Scene) => Promise<void>;

const cut: Fault = async ({ member }) => member.clientLine.cut();

const reset: Fault = async ({ member }) => member.clientLine.resetConnections();

/** As after a router has forgotten its connections. */
const forgottenConnections: Fault = async ({ member, hold }) => {
  member.clientLine.blackholeOpen();
  await hold();
  member.clientLine.heal();
};

const blackHole: Fault = async ({ member, hold }) => {
  member.clientLine.blackhole();
  await hold();
  member.clientLine.heal();
};

/** Requests arrive, and their answers never do. */
const lostAnswers: Fault = async ({ member, hold }) => {
  member.clientLine.blackhole('toClient');
  await hold();
  member.clientLine.resetConnections();
  member.clientLine.heal();
};

const leaderMoved: Fault = async ({ cluster }) => {
  await cluster.moveLeader();
};

const leaderKilled: Fault = async ({ cluster }) => {
  const leader = await cluster.leader();
  await leader.kill();
  await cluster.waitForLeader({ not: leader });
  await leader.restart();
};

const leaderFrozen: Fault = async ({ cluster }) => {
  const leader = await cluster.leader();
  await leader.pause();
  await cluster.waitForLeader({ not: leader });
  await leader.resume();
};

const memberRestarted: Fault = async ({ member, cluster }) => {
  await member.restart();
  await cluster.waitForLeader();
};

const allKilled: Fault = async ({ cluster }) => {
  await Promise.all(cluster.members.map((member) => member.kill()));
  await Promise.all(cluster.members.map((member) => member.restart()));
  await cluster.waitForLeader();
};

const compaction: Fault = async ({ cluster, log }) => {
  await cluster.compact(log.revision);
};

/** What can happen to lines and members; each ends mended. */
export const CLUSTER_FAULTS = {
  cut,
  reset,
  'forgotten connections': forgottenConnections,
  'black hole': blackHole,
  'lost answers': lostAnswers,
  'leader moved': leaderMoved,
  'leader killed': leaderKilled,
  'leader frozen': leaderFrozen,
  'member restarted': memberRestarted,
  'all killed': allKilled,
  compaction,
} satisfies Record<string, Fault>;

export type FaultKind = keyof typeof CLUSTER_FAULTS;

/** Faults of the lines alone. */
export const LINE_FAULTS: readonly FaultKind[] = [
  'cut',
  'reset',
  'forgotten connections',
  'black hole',
  'lost answers',
];

/** Has every member run again, whatever a fault that could not be ended has left. */
export async function mendMembers({ members }: Cluster): Promise<void> {
  await Promise.all(members.map((member) => (member.state === 'paused' ? member.resume() : undefined)));
  await Promise.all(members.map((member) => (member.state === 'down' ? member.restart() : undefined)));
}
