import type { InstallOptions } from './ensure-etcd.js';
import { EtcdNotFoundError } from './errors.js';

/** Placeholder. */
export async function installOfficialRelease(options: InstallOptions): Promise<void> {
  throw new EtcdNotFoundError('no official release is known', 'set COORD_ETCD_BIN', options.version);
}
