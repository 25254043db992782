import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeVersions } from '../node-versions.js';
import { caches, type Installed, type PackageManager, Project, succeed } from '../project.js';
import { type Registry, startRegistry } from '../registry.js';
import { SUBSETS } from '../subsets.js';
import { packAll, ROOT, readJson, type Tarball } from '../tarballs.js';

const { devDependencies } = await readJson<{ devDependencies: Record<string, string> }>(
  join(ROOT, 'package.json'),
);
const MANAGERS: readonly PackageManager[] = ['npm', 'pnpm'];
/** As strict as a user may be: the types of our dependencies are checked, too. */
const STRICT = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  target: 'es2022',
  types: ['node'],
};

let folder: string;
let tarballs: readonly Tarball[];
let registry: Registry;
let etcd: EtcdServer;
/** How much each installation brought. */
const rows: (string | number)[][] = [];

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'coord tarballs ')));
  tarballs = await packAll(folder);
  [registry, etcd] = await Promise.all([startRegistry(tarballs), startEtcd()]);
});

afterAll(async () => {
  const packed = tarballs.map((each) => [each.manifest.name, kB(each.packedBytes), kB(each.unpackedBytes)]);
  console.log(table(['package', 'tarball kB', 'unpacked kB'], packed));
  console.log(table(['installed', 'by', 'packages', 'kB'], rows));
  await registry?.[Symbol.asyncDispose]();
  await etcd?.stop();
  await rm(folder, { recursive: true, force: true });
});

const kB = (bytes: number) => Math.round(bytes / 1024);

function table(heads: readonly string[], lines: readonly (readonly (string | number)[])[]): string {
  return [heads, heads.map(() => '---'), ...lines].map((line) => `| ${line.join(' | ')} |`).join('\n');
}

/** The program as an ES module, as CommonJS, and for a bundler. */
async function writeProgram(project: Project, name: string): Promise<void> {
  const source = await readFile(join(ROOT, 'packaging', 'consumers', `${name}.ts`), 'utf8');
  const nodenext = { ...STRICT, module: 'nodenext', outDir: 'out', rootDir: '.' };
  const bundler = { ...STRICT, module: 'esnext', moduleResolution: 'bundler', noEmit: true };
  const folders = [
    ['import', 'module', nodenext],
    ['require', 'commonjs', nodenext],
    ['bundler', 'module', bundler],
  ] as const;
  for (const [format, type, compilerOptions] of folders) {
    await project.write(`${format}/program.ts`, source);
    await project.write(`${format}/package.json`, JSON.stringify({ type }));
    await project.write(
      `${format}/tsconfig.json`,
      JSON.stringify({ compilerOptions, include: ['program.ts'] }),
    );
  }
}

describe.each(SUBSETS.flatMap((subset) => MANAGERS.map((manager) => ({ ...subset, manager }))))(
  '$name from the registry, by $manager',
  ({ name, manager, install, installDev = [], coord, without }) => {
    let project: Project;
    let installed: Installed;

    beforeAll(async () => {
      project = await Project.create(registry.url, caches(folder));
      await succeed(project.install(manager, install));
      if (installDev.length > 0) await succeed(project.install(manager, installDev, ['--save-dev']));
      installed = await project.installed();
      await succeed(
        project.install(manager, [`@types/node@${devDependencies['@types/node']}`], ['--save-dev']),
      );
      await writeProgram(project, name);
    });

    afterAll(() => project?.[Symbol.asyncDispose]());

    it('brings what is needed, and nothing else', () => {
      const ours = installed.names.filter((each) => each.startsWith('@coord/'));
      expect(ours).toEqual(coord.map((each) => `@coord/${each}`));
      expect(installed.names.filter((each) => without.includes(each))).toEqual([]);
      // Two copies would not know each other's credentials.
      expect(installed.names.filter((each) => each === '@grpc/grpc-js')).toHaveLength(1);
      rows.push([name, manager, installed.names.length, kB(installed.bytes)]);
    });

    it.each(['import', 'require', 'bundler'])('is strict TypeScript: %s', async (format) => {
      await succeed(project.compile(format));
    });

    it.each(
      nodeVersions().flatMap((node) =>
        (['import', 'require'] as const).map((format) => ({ ...node, format })),
      ),
    )('works on Node $major by $format', async ({ path, format }) => {
      const env = { COORD_ENDPOINTS: etcd.target, COORD_ETCD_BIN: process.env.COORD_ETCD_BIN ?? '' };
      const end = await project.node([join(format, 'out', 'program.js')], { node: path, env });
      expect(end).toEqual({ code: 0, stdout: 'done\n', stderr: '' });
    });
  },
);
