import { cp, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { caches, Project, succeed } from '../project.js';
import { type Registry, startRegistry } from '../registry.js';
import { packAll, ROOT } from '../tarballs.js';

/** The oldest that README.md promises, and its contemporaries. */
const OLDEST = { typescript: '5.4.5', '@types/node': '20.19.43' };

let folder: string;
let registry: Registry;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'coord tarballs ')));
  registry = await startRegistry(await packAll(folder));
});

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

it(`the types of all packages are understood by TypeScript ${OLDEST.typescript}, strict and unskipped`, async () => {
  await using project = await Project.create(registry.url, caches(folder));
  const ours = ['@coord/core', '@coord/testkit', '@grpc/grpc-js'];
  const others = Object.entries(OLDEST).map(([name, version]) => `${name}@${version}`);
  await succeed(project.install('npm', [...ours, ...others]));
  await cp(join(ROOT, 'packaging', 'consumers'), join(project.folder, 'src'), { recursive: true });
  await project.write(
    'src/wrong.ts',
    "import { createLocks } from '@coord/lock';\nexport const locks = createLocks(5);\n",
  );
  await project.write('src/package.json', '{ "type": "module" }');
  const flags =
    '--strict --exactOptionalPropertyTypes --noUncheckedIndexedAccess --skipLibCheck false --types node';
  const { code, stdout } = await project.type(
    `npx tsc --noEmit --module nodenext --target es2022 ${flags} src/*.ts`,
  );
  // One error, and only where there is one: the compiler has looked.
  expect(code, stdout).not.toBe(0);
  expect(
    stdout
      .trim()
      .split('\n')
      .filter((line) => !line.startsWith(' ')),
  ).toEqual([
    expect.stringMatching(
      /^src\/wrong\.ts\(2,34\): error TS2345: .*'number' is not assignable.*'CoordClient'/,
    ),
  ]);
});
