import { access, constants } from 'node:fs/promises';
import { delimiter, dirname, join, resolve } from 'node:path';
import { cachedVersionFolder, cachedVersions, cacheFolder } from './cache-folder.js';
import { EtcdNotFoundError } from './errors.js';
import { compareVersions, reportedVersion, versionMatches } from './version.js';

/** An etcd that runs on this machine. */
export interface EtcdBinary {
  /** The path of `etcd`. */
  readonly etcdFile: string;
  /** The path of `etcdctl`, if there is one. */
  readonly etcdctlFile?: string | undefined;
  /** The exact version, as `3.5.16`. */
  readonly version: string;
  /** Where it was found. */
  readonly source: 'COORD_ETCD_BIN' | 'PATH' | 'cache';
}

/**
 * Looks for etcd: `COORD_ETCD_BIN`, then `PATH`, then the cache. With `wanted`, only one of that version counts.
 *
 * @internal
 * @throws {EtcdNotFoundError} if `COORD_ETCD_BIN` names something that does not run.
 */
export async function findEtcd(
  wanted: string | undefined,
  cache = cacheFolder(),
): Promise<EtcdBinary | undefined> {
  return (await fromEnvironment(wanted)) ?? (await fromPath(wanted)) ?? (await fromCache(wanted, cache));
}

async function fromEnvironment(wanted: string | undefined): Promise<EtcdBinary | undefined> {
  const name = process.env.COORD_ETCD_BIN;
  if (!name) return undefined;
  const etcdFile = resolve(name);
  const version = await reportedVersion(etcdFile);
  if (!version) {
    throw new EtcdNotFoundError(
      `COORD_ETCD_BIN=${name} does not run as etcd`,
      'set it to the path of an etcd binary of this platform, or unset it',
      wanted,
    );
  }
  if (!versionMatches(version, wanted)) return undefined;
  return { etcdFile, etcdctlFile: await findEtcdctl(dirname(etcdFile)), version, source: 'COORD_ETCD_BIN' };
}

async function fromPath(wanted: string | undefined): Promise<EtcdBinary | undefined> {
  for (const folder of pathFolders()) {
    const etcdFile = join(folder, 'etcd');
    if (!(await isExecutable(etcdFile))) continue;
    const version = await reportedVersion(etcdFile);
    if (!version || !versionMatches(version, wanted)) continue;
    return { etcdFile, etcdctlFile: await findEtcdctl(folder), version, source: 'PATH' };
  }
  return undefined;
}

/** The newest match in the cache. @internal */
export async function fromCache(wanted: string | undefined, cache: string): Promise<EtcdBinary | undefined> {
  const matching = (await cachedVersions(cache)).filter((version) => versionMatches(version, wanted));
  for (const version of matching.sort(compareVersions).reverse()) {
    const folder = cachedVersionFolder(cache, version);
    const etcdFile = join(folder, 'etcd');
    if ((await reportedVersion(etcdFile)) !== version) continue;
    return { etcdFile, etcdctlFile: await findEtcdctl(folder), version, source: 'cache' };
  }
  return undefined;
}

/** The etcdctl beside etcd, else the one on `PATH`. */
async function findEtcdctl(folder: string): Promise<string | undefined> {
  for (const candidate of [folder, ...pathFolders()]) {
    const file = join(candidate, 'etcdctl');
    if (await isExecutable(file)) return file;
  }
  return undefined;
}

function pathFolders(): string[] {
  return (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
