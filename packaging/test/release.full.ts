import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { caches, Project, succeed } from '../project.js';
import { type Registry, startRegistry } from '../registry.js';
import { type Manifest, packageNames, ROOT, readJson } from '../tarballs.js';

const run = promisify(execFile);
const NAMES = await packageNames();
const REPOSITORY = 'https://github.com/somebody/coord';

let folder: string;
/** A copy of what is published and of what says how; the workspace itself stays as it is. */
let clone: string;
let registry: Registry;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'coord release ')));
  clone = join(folder, 'clone');
  const members = ['examples', 'bench', 'docs', 'packaging'].map((name) => `${name}/package.json`);
  const settings = ['package.json', 'pnpm-workspace.yaml', 'pnpm-lock.yaml', 'LICENSE', '.changeset'];
  for (const path of [...settings, ...members, 'packages']) {
    await mkdir(dirname(join(clone, path)), { recursive: true });
    await cp(join(ROOT, path), join(clone, path), { recursive: true, verbatimSymlinks: true });
  }
  await run('git', ['init', '--quiet'], { cwd: clone });
  registry = await startRegistry();
});

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** As `npm run release` publishes; nobody can vouch for the origin here. */
async function publish(): Promise<string> {
  const npmrc = join(folder, 'npmrc');
  const { host } = new URL(registry.url);
  await writeFile(
    npmrc,
    `registry=${registry.url}\n//${host}/:_authToken=nobody\n${caches(folder).join('\n')}\n`,
  );
  const { origin } = await import(join(ROOT, 'scripts', 'lib', 'release.mjs'));
  for (const name of NAMES) {
    const file = join(clone, 'packages', name, 'package.json');
    const manifest = { ...(await readJson<Manifest>(file)), ...origin(REPOSITORY, name) };
    await writeFile(file, JSON.stringify(manifest));
  }
  const changeset = join(ROOT, 'node_modules', '@changesets', 'cli', 'bin.js');
  const env = {
    ...process.env,
    CI: 'true',
    NPM_CONFIG_USERCONFIG: npmrc,
    npm_config_registry: registry.url,
    PATH: `${join(ROOT, 'node_modules', '.bin')}:${process.env.PATH}`,
  };
  const args = [changeset, 'publish', '--no-git-tag'];
  const { stdout, stderr } = await run(process.execPath, args, { cwd: clone, env });
  return stdout + stderr;
}

it('publishes every package once, complete, with its origin; what comes out of the registry works', async () => {
  const output = await publish();
  const { version } = await readJson<Manifest>(join(ROOT, 'packages', 'core', 'package.json'));
  for (const name of NAMES) {
    expect(output).toContain(`@coord/${name}@${version}`);
    const manifest = registry.manifestOf(`@coord/${name}`);
    expect(manifest).toMatchObject({
      version,
      repository: { url: `git+${REPOSITORY}.git`, directory: `packages/${name}` },
      homepage: expect.stringContaining(REPOSITORY),
    });
    expect(JSON.stringify(manifest)).not.toMatch(/workspace:|catalog:|@coord\/source/);
  }
  await using project = await Project.create(registry.url, caches(folder));
  await succeed(project.install('npm', ['@coord/core', '@grpc/grpc-js']));
  await project.write(
    'main.mjs',
    "import { defaultConfig } from '@coord/core'; console.log(defaultConfig().logLevel);",
  );
  expect((await succeed(project.node(['main.mjs']))).stdout).toBe('info\n');
  const license = join(project.folder, 'node_modules', '@coord', 'core', 'LICENSE');
  expect(await readFile(license, 'utf8')).toBe(await readFile(join(ROOT, 'LICENSE'), 'utf8'));

  expect(await publish()).toMatch(/No unpublished projects to publish/);
});
