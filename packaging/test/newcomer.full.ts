import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { nodeVersions } from '../node-versions.js';
import { caches, Project, succeed } from '../project.js';
import { firstSteps } from '../readme.js';
import { type Registry, startRegistry } from '../registry.js';
import { packAll, ROOT, readJson, type Tarball } from '../tarballs.js';

const { commands, program } = await firstSteps();
const { devDependencies } = await readJson<{ devDependencies: Record<string, string> }>(
  join(ROOT, 'package.json'),
);
const DEFAULT_TARGET = '127.0.0.1:2379';
const FIVE_MINUTES_MS = 5 * 60_000;
const HELD = /^nobody else is in here; fencing token \d+n\n$/;

let folder: string;
let tarballs: readonly Tarball[];
let registry: Registry;
let etcd: EtcdServer;
const projects: Project[] = [];

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'coord tarballs ')));
  tarballs = await packAll(folder);
  [registry, etcd] = await Promise.all([startRegistry(tarballs), startEtcd()]);
});

afterEach(async () => {
  for (const project of projects.splice(0)) await project[Symbol.asyncDispose]();
});

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  await etcd?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function emptyFolder(...settings: string[]): Promise<Project> {
  const project = await Project.create(registry.url, [...caches(folder), ...settings]);
  projects.push(project);
  return project;
}

const here = (code: string) => code.replaceAll(DEFAULT_TARGET, etcd.target);

describe('from nothing to a held lock, as README.md says', () => {
  it('in JavaScript and in TypeScript, within five minutes', async () => {
    const startedAt = performance.now();
    const project = await emptyFolder();
    expect(commands).toHaveLength(3);
    for (const command of commands) await succeed(project.type(command));
    await project.write('main.js', here(program));
    const end = await succeed(project.node(['main.js']));
    expect(end.stdout).toMatch(HELD);
    const tookMs = performance.now() - startedAt;
    console.log(`from an empty folder to a held lock: ${(tookMs / 1_000).toFixed(1)} s`);
    expect(tookMs).toBeLessThan(FIVE_MINUTES_MS);

    for (const { path } of nodeVersions()) {
      expect((await succeed(project.node(['main.js'], { node: path }))).stdout).toMatch(HELD);
    }
    // As `npm install --save-dev typescript @types/node` and `npx tsc --init` leave it.
    const version = (name: string) => `${name}@${devDependencies[name]}`;
    await succeed(project.type(`npm install --save-dev ${version('typescript')} ${version('@types/node')}`));
    await succeed(project.type('npx tsc --init'));
    await project.write('main.ts', here(program));
    await succeed(project.type('rm main.js && npx tsc'));
    expect((await succeed(project.node(['main.js']))).stdout).toMatch(HELD);
  });

  it('from the tarballs of npm run pack', async () => {
    const project = await emptyFolder();
    await succeed(project.type('npm init --yes && npm pkg set type=module'));
    await succeed(project.install('npm', [...tarballs.map(({ file }) => file), '@grpc/grpc-js']));
    await project.write('main.js', here(program));
    expect((await succeed(project.node(['main.js']))).stdout).toMatch(HELD);
  });
});

describe('what goes wrong at first says what to do', () => {
  it('no etcd: the program ends by itself, with endpoint, reason and what to look at', async () => {
    const project = await emptyFolder();
    await succeed(project.install('npm', ['@coord/core', '@grpc/grpc-js']));
    await project.write('main.mjs', program.replaceAll(DEFAULT_TARGET, '127.0.0.1:1'));
    const { code, stderr } = await project.node(['main.mjs']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/ConnectionError: .*http:\/\/127\.0\.0\.1:1 \(.*ECONNREFUSED.*is etcd running/);
  });

  it('a CommonJS package: Node.js says it, and so does the README', async () => {
    const project = await emptyFolder();
    await succeed(project.install('npm', ['@coord/core', '@grpc/grpc-js']));
    await project.write('main.cjs', program);
    const { code, stderr } = await project.node(['main.cjs']);
    expect(code).toBe(1);
    expect(stderr).toContain('Cannot use import statement outside a module');
  });

  it('the peer @grpc/grpc-js comes by itself; where that is turned off, Node.js names what is missing', async () => {
    const resolver = ['@coord/client', '@coord/registry', '@coord/grpc-resolver'];
    const program = "import '@coord/grpc-resolver';\n";
    for (const manager of ['npm', 'pnpm'] as const) {
      const asUsual = await emptyFolder();
      await succeed(asUsual.install(manager, resolver));
      await asUsual.write('main.mjs', program);
      await succeed(asUsual.node(['main.mjs']));
    }
    const turnedOff = await emptyFolder('legacy-peer-deps=true', 'install-strategy=nested');
    await succeed(turnedOff.install('npm', resolver));
    await turnedOff.write('main.mjs', program);
    const { code, stderr } = await turnedOff.node(['main.mjs']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/Cannot find package '@grpc\/grpc-js' imported from .*@coord\/grpc-resolver\//);
    await succeed(turnedOff.install('npm', ['@grpc/grpc-js']));
    await succeed(turnedOff.node(['main.mjs']));
  });

  it('another @grpc/grpc-js than the one supported is refused by npm', async () => {
    const project = await emptyFolder();
    const { code, stderr } = await project.install('npm', ['@coord/core', '@grpc/grpc-js@1.10.0']);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/ERESOLVE[\s\S]*peer @grpc\/grpc-js@"~1\.14/);
  });

  it('a file inside a package cannot be imported', async () => {
    const project = await emptyFolder();
    await succeed(project.install('npm', ['@coord/client']));
    await project.write('main.mjs', "import '@coord/client/dist/index.js';\n");
    expect((await project.node(['main.mjs'])).stderr).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED');
  });

  it('a forgotten close: what is held keeps the process, what was only read does not', async () => {
    const project = await emptyFolder();
    await succeed(project.install('npm', ['@coord/client', '@coord/lock']));
    const connected = here(`
      import { connect } from '@coord/client';
      import { createLocks } from '@coord/lock';
      const client = await connect({ endpoints: ['${DEFAULT_TARGET}'] });
    `);
    await project.write('read.mjs', `${connected}; await client.kv.get('nothing'); console.log('read');`);
    expect(await succeed(project.node(['read.mjs']))).toMatchObject({ stdout: 'read\n' });
    const released = `const lock = await createLocks(client, { defaultTtlMs: 2_000 }).acquire('forgotten');
      await lock.release(); console.log('released');`;
    await project.write('released.mjs', connected + released);
    expect(await succeed(project.node(['released.mjs']))).toMatchObject({ stdout: 'released\n' });
  });
});
