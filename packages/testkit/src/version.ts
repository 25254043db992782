import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { TestkitError } from './errors.js';

const WANTED = /^v?(\d+\.\d+(?:\.\d+)?)$/;
const REPORTED = /etcd Version: (\d+\.\d+\.\d+)/;

/**
 * Checks and normalises a wanted version: `3.5`, `3.5.16` or `v3.5.16`.
 *
 * @internal
 * @throws {TestkitError} `COORD_TESTKIT_INVALID_ARGUMENT`.
 */
export function parseWantedVersion(version: string): string {
  const match = WANTED.exec(version.trim());
  if (match?.[1]) return match[1];
  throw new TestkitError(
    'COORD_TESTKIT_INVALID_ARGUMENT',
    `etcd version ${JSON.stringify(version)} is not understood`,
    "give a minor or an exact version, as '3.5' or '3.5.16'",
  );
}

/** Whether `version` (exact) is what `wanted` (minor or exact) asks for. @internal */
export function versionMatches(version: string, wanted: string | undefined): boolean {
  return wanted === undefined || version === wanted || version.startsWith(`${wanted}.`);
}

/** Orders exact versions, older first. @internal */
export function compareVersions(a: string, b: string): number {
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Runs `etcd --version`: the exact version, or undefined if that is no etcd, or one of another platform. @internal */
export async function reportedVersion(etcdFile: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(etcdFile, ['--version'], {
      env: etcdEnvironment(),
      timeout: 10_000,
    });
    return REPORTED.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

/** The environment for etcd: ours without `ETCD_…`, which etcd would take for flags. @internal */
export function etcdEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !/^ETCD(CTL)?_/.test(name));
  const environment: NodeJS.ProcessEnv = Object.fromEntries(entries);
  // etcd 3.4 refuses to run on 64-bit ARM without it.
  if (process.arch === 'arm64') environment.ETCD_UNSUPPORTED_ARCH = 'arm64';
  return environment;
}
