import { chmod, copyFile, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cachedVersionFolder } from './cache-folder.js';
import { EtcdNotFoundError } from './errors.js';
import { reportedVersion, versionMatches } from './version.js';

/** Runs `work` in a new folder inside the cache (one file system, so that a rename is atomic), and removes it. @internal */
export async function withStagingFolder<T>(cache: string, work: (folder: string) => Promise<T>): Promise<T> {
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, 'staging-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Moves unpacked binaries to their place in the cache, in one step: two processes may do this at once, and the first wins.
 *
 * @internal
 * @throws {EtcdNotFoundError} if `etcd` does not run here or is of another version.
 */
export async function addToCache(
  cache: string,
  files: { readonly etcd: string; readonly etcdctl: string | undefined; readonly staging: string },
  wanted: string | undefined,
): Promise<void> {
  const version = await reportedVersion(files.etcd);
  if (!version || !versionMatches(version, wanted)) {
    throw new EtcdNotFoundError(
      version ? `got etcd ${version}, wanted ${wanted}` : 'the unpacked etcd does not run on this machine',
      'ask for another version, or set COORD_ETCD_BIN',
      wanted,
    );
  }
  const ready = join(files.staging, 'ready');
  await mkdir(ready);
  for (const [name, file] of [
    ['etcd', files.etcd],
    ['etcdctl', files.etcdctl],
  ] as const) {
    if (file === undefined) continue;
    await copyFile(file, join(ready, name));
    await chmod(join(ready, name), 0o755);
  }
  const target = cachedVersionFolder(cache, version);
  await mkdir(dirname(target), { recursive: true });
  try {
    await rename(ready, target);
  } catch (error) {
    if ((await reportedVersion(join(target, 'etcd'))) === version) return; // another process was first
    await rm(target, { recursive: true, force: true }); // broken: replace it
    await rename(ready, target).catch(() => {
      throw error;
    });
  }
}
