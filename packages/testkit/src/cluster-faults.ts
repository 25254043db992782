import type { ClusterMember } from './cluster.js';
import { TestkitError } from './errors.js';
import type { Membership } from './membership.js';
import { invalid } from './options.js';
import type { PeerLineHandle } from './peer-line.js';

/** The line between two members. @internal */
export function lineBetween(membership: Membership, a: ClusterMember, b: ClusterMember): PeerLineHandle {
  if (a === b) throw invalid(`the line between ${a.name} and itself`, 'name two members');
  if (membership.network) return membership.network.between(a.name, b.name);
  throw new TestkitError(
    'COORD_TESTKIT_INVALID_STATE',
    'there are no proxies between the members',
    "start the cluster with proxies: 'peer' or true",
  );
}

/** Lets nothing pass between different groups. @internal */
export function partition(membership: Membership, groups: readonly (readonly ClusterMember[])[]): void {
  const lines = groups.flatMap((group, index) => {
    const others = groups.slice(index + 1).flat();
    return group.flatMap((member) => others.map((other) => lineBetween(membership, member, other)));
  });
  for (const line of lines) line.blackhole();
}

/** Ends every fault of every line. @internal */
export async function healAll({ network, members }: Membership): Promise<void> {
  for (const line of network?.lines ?? []) {
    line.accept();
    line.delay(0);
    line.heal();
  }
  for (const { seat } of members) {
    await seat.clientProxy?.accept();
    seat.clientProxy?.delay(0);
    seat.clientProxy?.heal();
  }
}
