import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { WatchCache } from '@coord/client';
import type { RegistryContext } from './registry-context.js';
import type { StoredInstance } from './service-value.js';

/** Longer names are refused by most file systems, together with what is added while a file is being written. */
const MAX_NAME_CHARACTERS = 200;

/**
 * The shared live copy of a service's instances; values that are none are left out and logged by the client.
 * @param snapshotFile where to keep it on disk, if at all
 */
export function openServiceCache(
  context: RegistryContext,
  serviceName: string,
  snapshotFile?: string,
): WatchCache<StoredInstance> {
  const prefix = context.keys.service(serviceName);
  return context.client.cache({ prefix }, { decode: (kv) => context.decode(kv), snapshotFile });
}

/** The file for the list of a service; undefined when none is wanted. */
export function snapshotFileOf(context: RegistryContext, serviceName: string): string | undefined {
  return snapshotFileFor(context, context.keys.service(serviceName));
}

/** The file for all that lies below a prefix; undefined when none is wanted. */
export function snapshotFileFor(context: RegistryContext, prefix: string): string | undefined {
  const { snapshotDirectory } = context.config;
  if (snapshotDirectory === undefined) return undefined;
  const name = encodeURIComponent(prefix);
  const short = name.length <= MAX_NAME_CHARACTERS ? name : createHash('sha256').update(name).digest('hex');
  return join(snapshotDirectory, `${short}.snapshot`);
}
