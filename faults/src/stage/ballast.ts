import { randomBytes } from 'node:crypto';
import { createClient } from '@coord/client';
import type { Cluster } from '@coord/testkit';

const KEY = 'coord-faults/ballast';
const VALUE_BYTES = 256 * 1024;

/** Writes so much, past the failing lines, or until `enough`. `remove` takes the last of it away; the rest goes with a compaction. */
export async function addBallast(
  { members }: Cluster,
  bytes: number,
  enough: () => boolean = () => false,
): Promise<void> {
  await using client = createClient({ endpoints: members.map(({ directEndpoint }) => directEndpoint) });
  const value = randomBytes(VALUE_BYTES);
  for (let written = 0; written < bytes && !enough(); written += VALUE_BYTES) await client.kv.put(KEY, value);
}

export async function removeBallast({ members }: Cluster): Promise<void> {
  await using client = createClient({ endpoints: members.map(({ directEndpoint }) => directEndpoint) });
  await client.kv.delete(KEY);
}
