import { readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** `COORD_CACHE_DIR`, else `coord` in `XDG_CACHE_HOME`, else `~/.cache/coord`. @internal */
export function cacheFolder(): string {
  const { COORD_CACHE_DIR, XDG_CACHE_HOME } = process.env;
  if (COORD_CACHE_DIR) return resolve(COORD_CACHE_DIR);
  return join(XDG_CACHE_HOME ? resolve(XDG_CACHE_HOME) : join(homedir(), '.cache'), 'coord');
}

/** Where one version is kept: `<cache>/etcd/<version>/<platform>-<arch>`. @internal */
export function cachedVersionFolder(cache: string, version: string): string {
  return join(cache, 'etcd', version, `${process.platform}-${process.arch}`);
}

/** The exact versions that have a folder in the cache. @internal */
export async function cachedVersions(cache: string): Promise<string[]> {
  try {
    const names = await readdir(join(cache, 'etcd'));
    return names.filter((name) => /^\d+\.\d+\.\d+$/.test(name));
  } catch {
    return [];
  }
}
