import { eventually } from '@coord/testkit';
import type { Fault } from '../run/cluster-faults.js';
import { addBallast, removeBallast } from './ballast.js';
import { startProxied } from './proxied-stage.js';
import type { StageKind } from './stage.js';

const MIB = 1024 * 1024;
const QUOTA_BYTES = 32 * MIB;
/** Of data that a defragmentation has to walk through, below the quota. */
const LARGE_BYTES = 20 * MIB;
const LONG = 3;
const MENDED_MS = 90_000;

/** Nothing can be written, and no lease be had, until there is room again. */
const noSpace: Fault = async ({ cluster, hold, log, also }) => {
  await cluster.fillQuota();
  await hold(LONG);
  const free = async () => cluster.freeSpace(await log.caughtUp());
  await also('compaction', () => eventually(free, { timeoutMs: MENDED_MS }));
};

/** While a member defragments, it does nothing else. */
const largeDefrag: Fault = async ({ cluster, log, also }) => {
  await addBallast(cluster, LARGE_BYTES);
  await removeBallast(cluster);
  const seen = await log.caughtUp();
  await also('compaction', () => cluster.compact(seen));
  await cluster.defrag();
};

/** Databases that are full, and that are large. */
export const SPACE: StageKind = {
  name: 'space',
  about: 'databases that are full (NOSPACE), and large ones that are defragmented',
  missing: async () => undefined,
  start: ({ etcd }) =>
    startProxied({
      cluster: { version: etcd, quotaBytes: QUOTA_BYTES },
      faults: { 'no space': noSpace, 'large defragmentation': largeDefrag },
    }),
};
