import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { canUseDebianPackages } from '../src/debian-packages.js';
import { fillCache } from '../src/ensure-etcd.js';
import { ensureEtcd } from '../src/index.js';

const folders: string[] = [];

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'coord-ensure-'));
  folders.push(folder);
  return folder;
}

afterEach(() => {
  vi.unstubAllEnvs();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function fakeEtcd(folder: string, version: string): string {
  const file = join(folder, 'etcd');
  writeFileSync(file, `#!/bin/sh\necho "etcd Version: ${version}"\n`);
  chmodSync(file, 0o755);
  return file;
}

describe('ensureEtcd', () => {
  it('looks at COORD_ETCD_BIN, then PATH, then the cache, for the wanted version', async () => {
    const named = fakeEtcd(temporaryFolder(), '3.4.1');
    const pathFolder = temporaryFolder();
    const onPath = fakeEtcd(pathFolder, '3.5.1');
    vi.stubEnv('COORD_ETCD_BIN', named);
    vi.stubEnv('PATH', `${pathFolder}:/bin`);
    vi.stubEnv('COORD_ETCD_VERSION', '');
    expect(await ensureEtcd()).toMatchObject({ etcdFile: named, version: '3.4.1', source: 'COORD_ETCD_BIN' });
    expect(await ensureEtcd({ version: '3.5' })).toMatchObject({ etcdFile: onPath, source: 'PATH' });
  });

  it('says so when COORD_ETCD_BIN is no etcd', async () => {
    vi.stubEnv('COORD_ETCD_BIN', '/no/such/etcd');
    await expect(ensureEtcd()).rejects.toMatchObject({
      name: 'EtcdNotFoundError',
      message: expect.stringContaining('/no/such/etcd'),
    });
  });

  it('names the remedies when a version cannot be had', async () => {
    const failure = ensureEtcd({ version: '3.1', cacheDir: temporaryFolder() });
    await expect(failure).rejects.toThrow(/COORD_ETCD_BIN.*testcontainers/s);
  });
});

const debian = await canUseDebianPackages();

describe.skipIf(!debian)('on Debian as root', () => {
  it('unpacks the packages into the cache, twice at once, and leaves apt alone', async () => {
    const cache = temporaryFolder();
    // Only what could be its doing: others may use apt meanwhile.
    const aptState = () => ({
      lists: readdirSync('/var/lib/apt/lists'),
      installed: execFileSync('dpkg-query', ['--list'], { encoding: 'utf8' })
        .split('\n')
        .filter((line) => line.includes('etcd')),
    });
    const before = aptState();
    const lines: string[] = [];
    const options = {
      version: '3.4',
      cache,
      onProgress: (line: string) => lines.push(line),
      signal: undefined,
    };
    const [binary] = await Promise.all([fillCache(options), fillCache(options)]);
    expect(binary).toMatchObject({ source: 'cache', version: expect.stringMatching(/^3\.4\./) });
    expect(binary.etcdctlFile).toContain(cache);
    expect(lines.length).toBeGreaterThanOrEqual(3);
    expect(readdirSync(cache)).toEqual(['etcd']);
    expect(aptState()).toEqual(before);
  });
});
