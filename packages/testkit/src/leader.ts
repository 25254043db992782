import type { EtcdStatus } from './etcd-server.js';

/** A member as far as an election goes. @internal */
export interface Voter {
  readonly id: bigint;
  readonly state: string;
  status(options: { readonly timeoutMs: number }): Promise<EtcdStatus>;
}

const STATUS_TIMEOUT_MS = 1_000;

/**
 * Asks the members that run who leads. One that says so itself is the leader only if `followers` members, itself among them, agree
 * in the same term: a leader that was cut off goes on believing for a while.
 *
 * @internal
 */
export async function findLeader<M extends Voter>(
  members: readonly M[],
  followers: number,
): Promise<M | undefined> {
  const running = members.filter(({ state }) => state === 'running');
  const answers = await Promise.all(
    running.map((member) => member.status({ timeoutMs: STATUS_TIMEOUT_MS }).catch(() => undefined)),
  );
  return running.find((member, index) => {
    const own = answers[index];
    const agrees = (answer: EtcdStatus | undefined) =>
      answer?.leaderId === member.id && answer.raftTerm === own?.raftTerm;
    return own?.isLeader && answers.filter(agrees).length >= followers;
  });
}

/** More than half. @internal */
export function majorityOf(size: number): number {
  return Math.floor(size / 2) + 1;
}
