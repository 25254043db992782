import { ensureEtcd } from '@coord/testkit';
import type { Fault } from '../run/cluster-faults.js';
import { startProxied } from './proxied-stage.js';
import type { StageKind } from './stage.js';

const [OLD, NEW] = ['3.4', '3.5'];
const MEMBERS = 3;

/** The next member comes back as a newer etcd. */
const memberUpgraded: Fault = async ({ cluster }) => {
  const member = cluster.members.find(({ version }) => version.startsWith(`${OLD}.`));
  if (member === undefined) throw new Error('all of them are upgraded');
  await member.restart({ version: NEW });
  await cluster.waitForLeader();
};

/** Members are upgraded one after the other. */
export const UPGRADE: StageKind = {
  name: 'upgrade',
  about: `members that are upgraded from etcd ${OLD} to ${NEW}, one after the other`,
  missing: async () => {
    if (process.env.COORD_TEST_BACKEND === 'testcontainers') return 'in a container the version stays';
    for (const version of [OLD, NEW]) {
      const problem = await ensureEtcd({ version }).then(() => undefined, String);
      if (problem !== undefined) return problem;
    }
    return undefined;
  },
  start: () =>
    startProxied({
      cluster: { version: OLD },
      faults: { 'member upgraded': memberUpgraded },
      musts: { 'member upgraded': MEMBERS },
    }),
};
