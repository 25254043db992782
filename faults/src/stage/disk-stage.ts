import type { EtcdServer } from '@coord/testkit';
import { eventually } from '@coord/testkit';
import type { Fault } from '../run/cluster-faults.js';
import { problemOf } from './command.js';
import { startProxied } from './proxied-stage.js';
import type { StageKind } from './stage.js';
import { injectInto, problemOfStrace } from './strace.js';

/** Longer than any lease and any election. */
const STALL_MS = 7_000;
const SLOW_MS = 300;
const SLOW_TIMES = 4;
const EXIT_MS = 30_000;

/** The disk of one member stalls, is slow or fails. */
export const DISK: StageKind = {
  name: 'disk',
  about: 'disks that stall, are slow and fail, by strace',
  missing: async () => {
    if (process.platform !== 'linux') return 'it takes Linux';
    const absent = await problemOf(['strace', '-V']);
    return absent === undefined ? problemOfStrace() : `${absent} (Debian: apt-get install strace)`;
  },
  // Without `durable` etcd 3.5 would not wait for the disk.
  start: ({ etcd }) =>
    startProxied({
      cluster: { version: etcd, durable: true },
      faults: {
        'disk stalled': async ({ cluster, sleep }) => {
          await using _stalled = await injectInto(
            await cluster.leader(),
            `delay_enter=${STALL_MS * 1_000}:when=1`,
          );
          await sleep(STALL_MS);
        },
        'disk slow': async ({ member, hold }) => {
          await using _slow = await injectInto(member, `delay_enter=${SLOW_MS * 1_000}`);
          await hold(SLOW_TIMES);
        },
        'disk failed': diskFailed,
      },
    }),
};

/** etcd ends itself then, and comes back on a disk that is sound. */
const diskFailed: Fault = async ({ cluster, member }) => {
  {
    await using _failing = await injectInto(member, 'error=EIO');
    await hasEnded(member);
  }
  await member.restart();
  await cluster.waitForLeader();
};

/** Writes come of themselves: at least leases are renewed, and a leader says so in its log. */
export async function hasEnded(member: Pick<EtcdServer, 'state'>): Promise<void> {
  await eventually(() => member.state === 'down', { timeoutMs: EXIT_MS });
}
