import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { addToCache, withStagingFolder } from './cache-entry.js';
import type { InstallOptions } from './ensure-etcd.js';
import { ChecksumMismatchError, EtcdNotFoundError, TestkitError } from './errors.js';
import { RELEASE_HASHES, type ReleaseHashes } from './release-hashes.js';
import { runCommand } from './run-command.js';
import { compareVersions, versionMatches } from './version.js';

/** Where archives come from, and what they must be. @internal */
export interface ReleaseSource {
  readonly baseUrl: string;
  readonly hashes: ReleaseHashes;
}

const OFFICIAL: ReleaseSource = {
  baseUrl: 'https://github.com/etcd-io/etcd/releases/download',
  hashes: RELEASE_HASHES,
};
/** What is taken if any version will do. */
const DEFAULT_VERSION = '3.5';

interface Release {
  readonly version: string;
  readonly platform: string;
  readonly sha256: string;
}

/**
 * Downloads an official release into the cache, after its SHA-256 was checked.
 *
 * @internal
 * @throws {EtcdNotFoundError} if no hash is known for that version on this platform.
 * @throws {ChecksumMismatchError} if the archive is another one. Nothing of it is kept.
 * @throws {TestkitError} `COORD_TESTKIT_DOWNLOAD_FAILED`.
 */
export async function installOfficialRelease(options: InstallOptions, source = OFFICIAL): Promise<void> {
  const { cache, onProgress, signal } = options;
  const release = chooseRelease(options.version, source.hashes);
  const name = `etcd-v${release.version}-${release.platform}`;
  const file = `${name}.${release.platform.startsWith('darwin') ? 'zip' : 'tar.gz'}`;
  const url = `${source.baseUrl}/v${release.version}/${file}`;
  await withStagingFolder(cache, async (staging) => {
    const archive = join(staging, file);
    onProgress(`downloading ${url}`);
    const actual = await download(url, archive, signal);
    if (actual !== release.sha256) throw new ChecksumMismatchError(url, release.sha256, actual);
    onProgress(`SHA-256 of ${file} is right`);
    const unpacked = join(staging, 'unpacked');
    await mkdir(unpacked);
    await runCommand('tar', ['-xf', archive, '-C', unpacked], { signal }); // macOS's tar reads zip files too
    const bin = join(unpacked, name);
    await addToCache(
      cache,
      { etcd: join(bin, 'etcd'), etcdctl: join(bin, 'etcdctl'), staging },
      release.version,
    );
    onProgress(`etcd ${release.version} is in ${cache}`);
  });
}

function chooseRelease(wanted: string | undefined, hashes: ReleaseHashes): Release {
  const platform = releasePlatform();
  const versions = Object.keys(hashes).filter((version) =>
    versionMatches(version, wanted ?? DEFAULT_VERSION),
  );
  for (const version of versions.sort(compareVersions).reverse()) {
    const sha256 = hashes[version]?.[platform];
    if (sha256) return { version, platform, sha256 };
  }
  throw new EtcdNotFoundError(
    `no SHA-256 is known for etcd ${wanted ?? DEFAULT_VERSION} on ${platform}, so it is not downloaded`,
    'set COORD_ETCD_BIN to an etcd binary, install etcd with your package manager, or use COORD_TEST_BACKEND=testcontainers',
    wanted,
  );
}

function releasePlatform(): string {
  return `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
}

/** Resolves to the SHA-256 of what was written to `file`. */
async function download(url: string, file: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256');
  const hashing = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  try {
    const answer = await fetch(url, signal ? { signal } : {});
    if (!answer.ok || !answer.body) throw new Error(`HTTP status ${answer.status}`);
    const body = Readable.fromWeb(answer.body as ReadableStream);
    await pipeline(body, hashing, createWriteStream(file), signal ? { signal } : {});
  } catch (error) {
    throw new TestkitError(
      'COORD_TESTKIT_DOWNLOAD_FAILED',
      `${url} could not be downloaded: ${reasonOf(error)}`,
      'check the network, set COORD_ETCD_BIN, or use COORD_TEST_BACKEND=testcontainers',
      { cause: error },
    );
  }
  return hash.digest('hex');
}

/** fetch hides the reason in `cause`. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
