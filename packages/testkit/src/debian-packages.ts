import { access, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { addToCache, withStagingFolder } from './cache-entry.js';
import type { InstallOptions } from './ensure-etcd.js';
import { EtcdNotFoundError } from './errors.js';
import { runCommand } from './run-command.js';
import { versionMatches } from './version.js';

/** The Debian releases that have etcd, and its version there. */
const SUITES: readonly { readonly suite: string; readonly version: string }[] = [
  { suite: 'trixie', version: '3.5' },
  { suite: 'bookworm', version: '3.4' },
];
const DEFAULT_MIRROR = 'http://deb.debian.org/debian';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Whether this is Debian and this process is root. @internal */
export async function canUseDebianPackages(): Promise<boolean> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  try {
    await access(KEYRING);
    return /^ID=debian$/m.test(await readFile('/etc/os-release', 'utf8'));
  } catch {
    return false;
  }
}

/**
 * Downloads and unpacks Debian's etcd packages into the cache. apt works on folders of its own: the package lists, sources and
 * installed packages of the system are neither used nor changed. apt checks the signatures.
 *
 * @internal
 */
export async function installFromDebian(options: InstallOptions): Promise<void> {
  const { version, cache, onProgress, signal } = options;
  const found = SUITES.find(
    (entry) => version === undefined || `${version}.`.startsWith(`${entry.version}.`),
  );
  if (!found) {
    throw new EtcdNotFoundError(`no Debian release has etcd ${version}`, "use '3.4' or '3.5'", version);
  }
  await withStagingFolder(cache, async (staging) => {
    const apt = await privateApt(staging, found.suite);
    onProgress(`reading the package lists of Debian ${found.suite}`);
    await runCommand('apt-get', [...apt, 'update'], { signal });
    const policy = await runCommand('apt-cache', [...apt, 'policy', 'etcd-server'], { signal });
    const candidate = /Candidate: (?:\d+:)?(\d+\.\d+\.\d+)/.exec(policy)?.[1];
    if (!candidate || !versionMatches(candidate, version)) {
      throw new EtcdNotFoundError(
        `Debian ${found.suite} has etcd ${candidate ?? '(none)'}, not ${version}`,
        `ask for version '${found.version}'`,
        version,
      );
    }
    onProgress(`downloading etcd ${candidate} from Debian ${found.suite}`);
    await runCommand('apt-get', [...apt, 'download', 'etcd-server', 'etcd-client'], { cwd: staging, signal });
    const packages = (await readdir(staging)).filter((name) => name.endsWith('.deb'));
    for (const name of packages)
      await runCommand('dpkg', ['-x', join(staging, name), join(staging, 'root')], { signal });
    const bin = join(staging, 'root/usr/bin');
    await addToCache(cache, { etcd: join(bin, 'etcd'), etcdctl: join(bin, 'etcdctl'), staging }, version);
    onProgress(`etcd ${candidate} is in ${cache}`);
  });
}

/** The options that keep apt away from the system's own state. */
async function privateApt(folder: string, suite: string): Promise<string[]> {
  const path = (name: string) => join(folder, name);
  for (const name of ['sources', 'lists/partial', 'archives/partial', 'log'])
    await mkdir(path(name), { recursive: true });
  const source = [
    'Types: deb',
    `URIs: ${await systemMirror()}`,
    `Suites: ${suite}`,
    'Components: main',
    `Signed-By: ${KEYRING}`,
    '',
  ];
  await writeFile(path('sources/coord.sources'), source.join('\n'));
  await writeFile(path('status'), '');
  const settings = {
    'Dir::Etc::SourceList': '/dev/null',
    'Dir::Etc::SourceParts': path('sources'),
    'Dir::Etc::Preferences': '/dev/null',
    'Dir::Etc::PreferencesParts': '/dev/null',
    'Dir::State': folder,
    'Dir::State::Lists': path('lists'),
    'Dir::State::Status': path('status'),
    'Dir::Cache': folder,
    'Dir::Log': path('log'),
    'Acquire::Languages': 'none',
    'APT::Sandbox::User': 'root', // the staging folder is ours alone
    'APT::Update::Post-Invoke': '',
    'APT::Update::Post-Invoke-Success': '',
  };
  return ['-q', ...Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
}

/** The Debian mirror that the system itself uses. */
async function systemMirror(): Promise<string> {
  const folder = '/etc/apt/sources.list.d';
  const files = (await readdir(folder).catch(() => [])).sort().map((name) => join(folder, name));
  for (const file of ['/etc/apt/sources.list', ...files]) {
    const text = await readFile(file, 'utf8').catch(() => '');
    const mirror = mirrorIn(text);
    if (mirror) return mirror;
  }
  return DEFAULT_MIRROR;
}

/** The first Debian archive (not security, not backports of others) named in an apt source file. @internal */
export function mirrorIn(text: string): string | undefined {
  const lines = text.split('\n').filter((line) => /^\s*(deb\s|URIs:)/.test(line));
  const uris = lines.flatMap((line) => line.match(/https?:\/\/[^\s\]]+/g) ?? []);
  return uris.map((uri) => uri.replace(/\/+$/, '')).find((uri) => uri.endsWith('/debian'));
}
