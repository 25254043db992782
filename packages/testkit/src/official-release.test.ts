import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChecksumMismatchError } from './errors.js';
import { fromCache } from './find-etcd.js';
import { installOfficialRelease } from './official-release.js';

const platform = `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
const folder = mkdtempSync(join(tmpdir(), 'coord-release-'));
const archive = join(folder, 'archive.tar.gz');
let server: Server;
let baseUrl: string;

beforeAll(async () => {
  const name = `etcd-v3.5.99-${platform}`;
  mkdirSync(join(folder, name));
  for (const program of ['etcd', 'etcdctl']) {
    writeFileSync(join(folder, name, program), '#!/bin/sh\necho "etcd Version: 3.5.99"\n');
    chmodSync(join(folder, name, program), 0o755);
  }
  execFileSync('tar', ['-czf', archive, '-C', folder, name]);
  server = createServer((request, response) => {
    if (request.url?.startsWith(`/v3.5.99/${name}.`)) response.end(readFileSync(archive));
    else response.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  baseUrl = `http://127.0.0.1:${address && typeof address === 'object' ? address.port : 0}`;
});

afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

function install(cache: string, version: string, sha256: string): Promise<void> {
  const hashes = { [version]: { [platform]: sha256 } };
  const options = { version, cache, onProgress: () => undefined, signal: undefined };
  return installOfficialRelease(options, { baseUrl, hashes });
}

describe('installOfficialRelease', () => {
  it('puts a release with the right hash into the cache, also twice at once', async () => {
    const cache = join(folder, 'good');
    const sha256 = createHash('sha256').update(readFileSync(archive)).digest('hex');
    await Promise.all([install(cache, '3.5.99', sha256), install(cache, '3.5.99', sha256)]);
    expect(await fromCache('3.5', cache)).toMatchObject({ version: '3.5.99', source: 'cache' });
    expect(readdirSync(cache)).toEqual(['etcd']);
  });

  it('keeps nothing of a release with another hash', async () => {
    const cache = join(folder, 'bad');
    const failure = install(cache, '3.5.99', '0'.repeat(64));
    await expect(failure).rejects.toBeInstanceOf(ChecksumMismatchError);
    await expect(failure).rejects.toMatchObject({
      expected: '0'.repeat(64),
      url: expect.stringContaining(baseUrl),
    });
    expect(readdirSync(cache)).toEqual([]);
  });

  it('says so when there is no hash, or no download', async () => {
    const cache = join(folder, 'none');
    const options = { version: '3.5.98', cache, onProgress: () => undefined, signal: undefined };
    await expect(installOfficialRelease(options, { baseUrl, hashes: {} })).rejects.toMatchObject({
      code: 'COORD_TESTKIT_ETCD_NOT_FOUND',
      message: expect.stringMatching(/no SHA-256 is known.*COORD_ETCD_BIN.*testcontainers/),
    });
    await expect(install(cache, '3.5.98', '0'.repeat(64))).rejects.toMatchObject({
      code: 'COORD_TESTKIT_DOWNLOAD_FAILED',
    });
    expect(readdirSync(cache)).toEqual([]);
  });
});
