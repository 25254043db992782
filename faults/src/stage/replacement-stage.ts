import type { Fault } from '../run/cluster-faults.js';
import { startProxied } from './proxied-stage.js';
import type { StageKind } from './stage.js';

/** Clients go by the members they were told of when they began: the first of them stays. */
const memberReplaced: Fault = async ({ cluster, member }) => {
  const [first, other] = cluster.members;
  const old = member === first ? other : member;
  if (old === undefined) throw new Error('there is but one member');
  await cluster.replaceMember(old);
  await cluster.waitForLeader();
};

/** Members go for good, and empty ones come. */
export const REPLACEMENT: StageKind = {
  name: 'replacement',
  about:
    'members that are replaced by empty ones at other addresses, as new workers know and old ones do not',
  missing: async () => undefined,
  start: ({ etcd }) =>
    startProxied({
      cluster: { version: etcd },
      faults: { 'member replaced': memberReplaced },
      musts: { 'member replaced': 2 },
    }),
};
