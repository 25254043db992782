import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkArrows } from './lib/build.mjs';
import { inRoot, readJson } from './lib/root.mjs';

const PACKAGES = [
  'client',
  'lock',
  'registry',
  'config',
  'config-manager',
  'grpc-resolver',
  'core',
  'testkit',
];
const MEMBERS = [
  ...PACKAGES.map((name) => `packages/${name}`),
  'examples',
  'bench',
  'faults',
  'hostile-values',
  'packaging',
];
let copy;

// The workspace's rules and manifests without its sources: what is planted is all there is.
beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'coord arrows '));
  const rules = [
    'package.json',
    'pnpm-lock.yaml',
    'pnpm-workspace.yaml',
    'turbo.json',
    'biome.json',
    '.gitignore',
  ];
  const manifests = MEMBERS.flatMap((member) => [`${member}/package.json`, `${member}/turbo.json`]);
  for (const file of [...rules, ...manifests]) cpSync(inRoot(file), join(copy, file));
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

async function complaint(file, content) {
  const path = join(copy, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  try {
    await checkArrows(copy);
    return undefined;
  } catch (error) {
    return `${error.message}\n${error.tail}`;
  } finally {
    rmSync(path);
  }
}

test('every arrow of the design is allowed', async () => {
  const allowed = [
    ['packages/lock/src/a.ts', ['@coord/client', '@coord/client/internal']],
    ['packages/registry/src/a.ts', ['@coord/client', '@coord/client/internal']],
    ['packages/config/src/a.ts', ['@coord/client', '@coord/client/internal']],
    ['packages/config-manager/src/a.ts', ['@coord/client', '@coord/config', '@coord/config/internal']],
    ['packages/grpc-resolver/src/a.ts', ['@coord/client', '@coord/registry/internal', '@grpc/grpc-js']],
    ['packages/core/src/a.ts', PACKAGES.slice(0, 6).map((name) => `@coord/${name}`)],
    ['packages/lock/test/a.etcd.test.ts', ['@coord/lock', '@coord/testkit', '../src/a.js', 'vitest']],
    ['packages/lock/src/a.test.ts', ['@coord/testkit', './a.js']],
    ['examples/a.ts', ['@coord/core', '@coord/core/global', '@coord/testkit', '@coord/lock']],
    ['bench/a.ts', ['@coord/core', '@coord/client/internal']],
  ];
  for (const [file, specifiers] of allowed) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    writeFileSync(join(copy, file), specifiers.map((specifier) => `import '${specifier}';\n`).join(''));
  }
  await checkArrows(copy);
  for (const [file] of allowed) rmSync(join(copy, file));
});

test.each([
  ['a sibling beside', 'packages/lock/src/a.ts', "import { x } from '@coord/registry';"],
  ['a sibling above', 'packages/client/src/a.ts', "import { x } from '@coord/lock';"],
  ['types only', 'packages/lock/src/a.ts', "import type { X } from '@coord/config';"],
  ['a re-export', 'packages/registry/src/a.ts', "export * from '@coord/config';"],
  ['a dynamic import', 'packages/config/src/a.ts', "export const x = import('@coord/registry');"],
  ['core', 'packages/config-manager/src/a.ts', "import '@coord/core';"],
  ['core in a test', 'packages/lock/test/a.etcd.test.ts', "import '@coord/core';"],
  ['a sibling in a test', 'packages/lock/src/a.test.ts', "import '@coord/registry';"],
  ['anything from testkit', 'packages/testkit/src/a.ts', "import '@coord/client';"],
  ['testkit outside of tests', 'packages/lock/src/a.ts', "import '@coord/testkit';"],
  ['a file of a sibling', 'packages/lock/src/a.ts', "import '@coord/client/dist/index.js';"],
  ['a path into a sibling', 'packages/lock/src/a.ts', "import '../../client/src/index.js';"],
  ['a path from a folder', 'packages/lock/src/b/a.ts', "import '../../../client/dist/index.js';"],
  [
    'a path through node_modules',
    'packages/lock/src/a.ts',
    "import '../node_modules/@coord/client/src/index.js';",
  ],
  ['a path in a test', 'packages/lock/test/a.etcd.test.ts', "import '../../client/src/index.js';"],
  ['internals in an example', 'examples/a.ts', "import '@coord/client/internal';"],
  ['a path in an example', 'examples/a.ts', "import '../packages/client/src/index.js';"],
  ['an example', 'packages/core/src/a.ts', "import '@coord/examples';"],
  ['an undeclared package', 'packages/client/src/a.ts', "import 'zod';"],
])('refused: %s', async (_kind, file, content) => {
  const text = await complaint(file, `${content}\n`);
  expect(text).toContain('imports what it must not');
  expect(text).toContain(file);
});

test('refused: a wrong arrow that the manifest declares', async () => {
  const file = 'packages/registry/package.json';
  const manifest = readJson(file);
  manifest.dependencies['@coord/config'] = 'workspace:^';
  const text = await complaint(file, JSON.stringify(manifest));
  writeFileSync(join(copy, file), readFileSync(inRoot(file)));
  expect(text).toContain('`@coord/config` found without any tag listed in allowlist');
});

test('each tsconfig.json refers to what its package depends on, and to nothing else', () => {
  for (const name of PACKAGES) {
    const { dependencies = {} } = readJson('packages', name, 'package.json');
    const siblings = Object.keys(dependencies).flatMap((key) => key.match(/^@coord\/(.+)$/)?.[1] ?? []);
    const references = (readJson('packages', name, 'tsconfig.json').references ?? []).map(({ path }) => path);
    expect(references.sort(), name).toEqual(siblings.map((sibling) => `../${sibling}`).sort());
  }
});
