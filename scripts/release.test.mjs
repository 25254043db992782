import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packageNames } from './lib/pack.mjs';
import { origin, repositoryUrl } from './lib/release.mjs';
import { inRoot, ROOT, readJson, toolEntry } from './lib/root.mjs';

let copy;

// A repository of its own with the manifests of this one: a version is given there, and nothing changes here.
beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'coord release '));
  const members = [
    'examples',
    'bench',
    'faults',
    'hostile-values',
    'packaging',
    ...packageNames().map((name) => `packages/${name}`),
  ];
  const files = ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', '.changeset/config.json'];
  for (const file of [...files, ...members.map((member) => `${member}/package.json`)]) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(inRoot(file), join(copy, file));
  }
  git('init', '--quiet', '--initial-branch=main');
  git('add', '--all');
  git('-c', 'user.name=test', '-c', 'user.email=test@localhost', 'commit', '--quiet', '--message=start');
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

function git(...args) {
  const { status, stderr } = spawnSync('git', args, { cwd: copy, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

const versionOf = (folder, name) =>
  JSON.parse(readFileSync(join(folder, 'packages', name, 'package.json'))).version;

test('a change of one package gives all of them the next version, and each its changelog', () => {
  const before = versionOf(copy, 'lock');
  writeFileSync(join(copy, '.changeset', 'a.md'), '---\n"@coord/lock": minor\n---\n\nLocks can fly.\n');
  const changeset = toolEntry('@changesets/cli', 'changeset');
  const { status, stderr } = spawnSync(process.execPath, [changeset, 'version'], {
    cwd: copy,
    encoding: 'utf8',
  });
  expect(status, stderr).toBe(0);
  const [major, minor] = before.split('.');
  const next = `${major}.${Number(minor) + 1}.0`;
  for (const name of packageNames()) {
    expect(versionOf(copy, name), name).toBe(next);
    expect(readFileSync(join(copy, 'packages', name, 'CHANGELOG.md'), 'utf8')).toContain(`## ${next}`);
  }
  expect(readFileSync(join(copy, 'packages/lock/CHANGELOG.md'), 'utf8')).toContain('Locks can fly.');
  for (const name of ['examples', 'bench']) {
    expect(JSON.parse(readFileSync(join(copy, name, 'package.json'))).version).toBe('0.0.0');
  }
});

test('all packages have one version, and every changeset names packages that there are', () => {
  expect(new Set(packageNames().map((name) => versionOf(ROOT, name))).size).toBe(1);
  const known = packageNames().map((name) => `@coord/${name}`);
  expect(readJson('.changeset', 'config.json').fixed).toEqual([known]);
  for (const file of readdirSync(inRoot('.changeset')).filter((name) => name.endsWith('.md'))) {
    const [, head] = readFileSync(inRoot('.changeset', file), 'utf8').split('---\n');
    const named = head
      .trim()
      .split('\n')
      .map((line) => /^"(.+)": (?:patch|minor|major)$/.exec(line)?.[1]);
    expect(known, file).toEqual(expect.arrayContaining(named));
  }
});

test('the packages name the repository that releases them', () => {
  const url = repositoryUrl({ GITHUB_REPOSITORY: 'somebody/coord.fork' });
  expect(origin(url, 'lock')).toEqual({
    homepage: 'https://github.com/somebody/coord.fork/tree/main/packages/lock#readme',
    bugs: { url: 'https://github.com/somebody/coord.fork/issues' },
    repository: {
      type: 'git',
      url: 'git+https://github.com/somebody/coord.fork.git',
      directory: 'packages/lock',
    },
  });
  for (const GITHUB_REPOSITORY of [undefined, '', 'coord', 'a/b/c', 'a/b"']) {
    expect(() => repositoryUrl({ GITHUB_REPOSITORY })).toThrow('GITHUB_REPOSITORY does not say');
  }
});

test('the release workflow vouches for the origin, and no step of it may fail unnoticed', () => {
  const workflow = readFileSync(inRoot('.github/workflows/release.yml'), 'utf8');
  expect(workflow).toContain('id-token: write');
  expect(workflow).toContain('NPM_CONFIG_PROVENANCE: "true"');
  expect(workflow).toContain('publish: npm run release');
  for (const file of readdirSync(inRoot('.github/workflows'))) {
    expect(readFileSync(inRoot('.github/workflows', file), 'utf8'), file).not.toMatch(
      /continue-on-error|\|\| true/,
    );
  }
});
