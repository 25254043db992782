import { randomBytes } from 'node:crypto';
import { CoordError, createClient } from '@coord/client';
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
  // Faults may strike meanwhile: what is lost then is not missed.
  for (let tried = 0; tried < bytes && !enough(); tried += VALUE_BYTES) {
    await client.kv.put(KEY, value).catch((error: unknown) => {
      if (!CoordError.is(error)) throw error;
    });
  }
}

export async function removeBallast({ members }: Cluster): Promise<void> {
  await using client = createClient({ endpoints: members.map(({ directEndpoint }) => directEndpoint) });
  await client.kv.delete(KEY);
}
