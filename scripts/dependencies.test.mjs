import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { dependencyProblems } from './lib/dependencies.mjs';
import { inRoot } from './lib/root.mjs';

const HASH = '{integrity: sha512-abc==}';
let root;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'coord dependencies '));
  write('pnpm-lock.yaml', lockfile(HASH));
  write('pnpm-workspace.yaml', 'packages:\n  - packages/*\n\ncatalog:\n  listed: 1.0.0\n\nother: true\n');
  own({ good: '1.0.0', listed: 'catalog:', '@coord/b': 'workspace:^' });
  write('packages/b/package.json', { name: '@coord/b', version: '1.0.0' });
  mkdirSync(join(root, 'packages/a/node_modules/@coord'), { recursive: true });
  symlinkSync(join(root, 'packages/b'), join(root, 'packages/a/node_modules/@coord/b'));
  installed('good', { license: '(MIT OR GPL-3.0)' });
  installed('listed', { license: 'Apache-2.0 AND MIT' });
});
afterEach(() => rmSync(root, { recursive: true }));

function write(path, content) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), typeof content === 'string' ? content : JSON.stringify(content));
}

const lockfile = (resolution) => `packages:\n\n  good@1.0.0:\n    resolution: ${resolution}\n`;

function own(dependencies, rest = {}) {
  write('packages/a/package.json', { name: '@coord/a', version: '1.0.0', dependencies, ...rest });
}

function installed(name, manifest, below = 'packages/a') {
  write(`${below}/node_modules/${name}/package.json`, {
    name,
    version: '1.0.0',
    license: 'MIT',
    ...manifest,
  });
}

/** A dependency of a dependency. */
function deeper(manifest) {
  installed('good', { dependencies: { deep: '^1.0.0' } });
  installed('deep', manifest, 'packages/a/node_modules/good');
}

test('the packages of this workspace bring along nothing that they must not', () => {
  expect(dependencyProblems(inRoot())).toEqual([]);
});

test('what may be there is no problem', () => {
  expect(dependencyProblems(root)).toEqual([]);
});

test.each([
  ['GPL-3.0', 'GPL-3.0'],
  ['MIT AND GPL-3.0', 'MIT AND GPL-3.0'],
  ['(MIT OR (GPL-3.0 AND ISC)) AND GPL-2.0', '(MIT OR (GPL-3.0 AND ISC)) AND GPL-2.0'],
  ['SEE LICENSE IN FILE', 'SEE LICENSE IN FILE'],
  [undefined, 'missing'],
  [{ type: 'MIT' }, '{"type":"MIT"}'],
])('a licence that is not on the list: %j', (license, shown) => {
  deeper({ license });
  expect(dependencyProblems(root)).toEqual([`deep@1.0.0: the licence is ${shown}`]);
});

test.each(['preinstall', 'install', 'postinstall'])('a script that runs at the installation: %s', (hook) => {
  deeper({ scripts: { [hook]: 'node spy.js', test: 'vitest' } });
  expect(dependencyProblems(root)).toEqual([`deep@1.0.0 runs at its installation: ${hook}: node spy.js`]);
});

test('one that npm runs unasked', () => {
  deeper({});
  write('packages/a/node_modules/good/node_modules/deep/binding.gyp', '{}');
  expect(dependencyProblems(root)).toEqual([
    'deep@1.0.0 runs at its installation: install: node-gyp rebuild',
  ]);
});

test('a known script is known by its words', () => {
  own({ protobufjs: '7.0.0' });
  installed('protobufjs', { scripts: { postinstall: 'node scripts/postinstall' } });
  expect(dependencyProblems(root)).toEqual([]);
  installed('protobufjs', { scripts: { postinstall: 'node scripts/postinstall && node spy.js' } });
  expect(dependencyProblems(root)).toHaveLength(1);
});

test.each(['^1.0.0', '~1.0.0', '1.x', '*', 'latest', 'git+https://example.org/good.git', 'workspace:*'])(
  'a dependency that is not pinned: %s',
  (version) => {
    own({ good: version });
    expect(dependencyProblems(root)).toEqual([`@coord/a: good is ${version}, which is no exact version`]);
  },
);

test('one that is not pinned in the catalog', () => {
  write('pnpm-workspace.yaml', 'catalog:\n  listed: ^1.0.0\n');
  expect(dependencyProblems(root)).toEqual(['@coord/a: listed is ^1.0.0, which is no exact version']);
});

test('what is installed without a hash, or from elsewhere', () => {
  for (const resolution of [
    '{tarball: https://example.org/good.tgz}',
    '{integrity: sha512-abc==, tarball: https://example.org/good.tgz}',
    '{integrity: sha1-abc=}',
  ]) {
    write('pnpm-lock.yaml', lockfile(resolution));
    expect(dependencyProblems(root)).toHaveLength(1);
  }
});

test('what is needed and not installed is not passed over; what is optional is', () => {
  own({ good: '1.0.0' }, { optionalDependencies: { away: '1.0.0' } });
  expect(dependencyProblems(root)).toEqual([]);
  own(
    { good: '1.0.0' },
    { peerDependencies: { away: '1' }, peerDependenciesMeta: { away: { optional: true } } },
  );
  expect(dependencyProblems(root)).toEqual([]);
  own({ good: '1.0.0' }, { peerDependencies: { away: '1' } });
  expect(() => dependencyProblems(root)).toThrow('away, which @coord/a needs, is not installed');
  cpSync(join(root, 'packages/a/node_modules/good'), join(root, 'packages/a/node_modules/away'), {
    recursive: true,
  });
  expect(dependencyProblems(root)).toEqual([]);
});
