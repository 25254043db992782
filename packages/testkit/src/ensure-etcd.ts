import { cacheFolder } from './cache-folder.js';
import { canUseDebianPackages, installFromDebian } from './debian-packages.js';
import { EtcdNotFoundError, throwIfAborted } from './errors.js';
import { type EtcdBinary, findEtcd, fromCache } from './find-etcd.js';
import { installOfficialRelease } from './official-release.js';
import { parseWantedVersion } from './version.js';

/** Which etcd to find or fetch. */
export interface EnsureEtcdOptions {
  /** A minor version (`'3.5'`) or an exact one (`'3.5.16'`). @default COORD_ETCD_VERSION, else any */
  readonly version?: string | undefined;
  /** @default COORD_CACHE_DIR, else `coord` in XDG_CACHE_HOME, else `~/.cache/coord` */
  readonly cacheDir?: string | undefined;
  /** Told what is being done, a line at a time. */
  readonly onProgress?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a source of etcd binaries is told. @internal */
export interface InstallOptions {
  readonly version: string | undefined;
  readonly cache: string;
  readonly onProgress: (line: string) => void;
  readonly signal: AbortSignal | undefined;
}

/**
 * Finds an etcd (`COORD_ETCD_BIN`, then `PATH`, then the cache), or puts one into the cache: from Debian's packages
 * where this is Debian and you are root, else the official release for this platform, checked against its SHA-256. Nothing
 * is installed into the system.
 *
 * @throws {EtcdNotFoundError} if none is there and none can be had; the message tells what was tried.
 * @throws {ChecksumMismatchError} if the downloaded file is not the published one.
 * @throws {TestkitError} `COORD_TESTKIT_INVALID_ARGUMENT`, `COORD_TESTKIT_ABORTED`.
 * @example
 * ```ts
 * import { ensureEtcd } from '@coord/testkit';
 *
 * const { etcdFile, version } = await ensureEtcd({ version: '3.5', onProgress: console.log });
 * console.log(version, etcdFile);
 * ```
 */
export async function ensureEtcd(options: EnsureEtcdOptions = {}): Promise<EtcdBinary> {
  const asked = options.version || process.env.COORD_ETCD_VERSION;
  const version = asked ? parseWantedVersion(asked) : undefined;
  const cache = options.cacheDir ?? cacheFolder();
  throwIfAborted(options.signal);
  return (
    (await findEtcd(version, cache)) ??
    (await fillCache({
      version,
      cache,
      onProgress: options.onProgress ?? (() => undefined),
      signal: options.signal,
    }))
  );
}

/** Puts an etcd into the cache, whatever else is there. @internal */
export async function fillCache(options: InstallOptions): Promise<EtcdBinary> {
  const problems: unknown[] = [];
  if (await canUseDebianPackages()) {
    try {
      await installFromDebian(options);
      return await installed(options);
    } catch (error) {
      throwIfAborted(options.signal);
      options.onProgress(`Debian packages: ${messageOf(error)}`);
      problems.push(error);
    }
  }
  try {
    await installOfficialRelease(options);
    return await installed(options);
  } catch (error) {
    throwIfAborted(options.signal);
    if (problems.length === 0) throw error;
    problems.push(error);
    throw new EtcdNotFoundError(
      `etcd ${options.version ?? ''} could not be put into the cache: ${problems.map(messageOf).join(' | ')}`,
      'set COORD_ETCD_BIN, install etcd with your package manager, or use COORD_TEST_BACKEND=testcontainers',
      options.version,
      { cause: new AggregateError(problems) },
    );
  }
}

async function installed({ version, cache }: InstallOptions): Promise<EtcdBinary> {
  const binary = await fromCache(version, cache);
  if (binary) return binary;
  throw new EtcdNotFoundError(
    `what was put into ${cache} does not run here as etcd ${version ?? ''}`,
    'set COORD_ETCD_BIN, or use COORD_TEST_BACKEND=testcontainers',
    version,
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
