import { addBallast, removeBallast } from './ballast.js';
import { problemOf } from './command.js';
import { hasEnded } from './disk-stage.js';
import { startProxied } from './proxied-stage.js';
import { SmallDisk } from './small-disk.js';
import type { StageKind } from './stage.js';

/** Which member has it, counted from 0. */
const PLACE = 2;
/** More than the log of etcd has room for ahead of time. */
const MAX_BALLAST_BYTES = 96 * 1024 * 1024;

/** The disk of one member of three is full. */
export const FULL_DISK: StageKind = {
  name: 'full disk',
  about: 'a disk of one member that fills up, in a mount namespace',
  missing: async () => {
    if (process.platform !== 'linux') return 'it takes Linux';
    const denied = await problemOf([
      'unshare',
      '--mount',
      'sh',
      '-c',
      'mount -t tmpfs none /mnt && umount /mnt',
    ]);
    return denied === undefined ? undefined : `it takes root: ${denied}`;
  },
  start: async ({ etcd }) => {
    const disk = await SmallDisk.open();
    const hosts = [{}, {}, {}].with(PLACE, disk.host);
    return startProxied({
      cluster: { version: etcd, hosts, durable: true },
      faults: {
        'disk full': async ({ cluster }) => {
          const member = cluster.members[PLACE];
          if (member === undefined) throw new Error(`there is no member ${PLACE}`);
          const empty = await disk.fill(member);
          try {
            // It ends itself with the first page that finds no room.
            await addBallast(cluster, MAX_BALLAST_BYTES, () => member.state === 'down');
            await hasEnded(member);
          } finally {
            await empty();
          }
          await member.restart();
          await removeBallast(cluster);
          await cluster.waitForLeader();
        },
      },
      beside: disk,
    });
  },
};
