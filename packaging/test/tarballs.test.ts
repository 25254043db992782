import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Loaded, linkDeclaredOnly, loadAll } from '../declared-only.js';
import { entriesOf, filesIn, packAll, packageNames, ROOT, readJson, type Tarball } from '../tarballs.js';

vi.setConfig({ testTimeout: 60_000 });

const NAMES = await packageNames();
/** The profile `esm-only` of attw: it leaves out those who cannot import an ES module anyhow. */
const NOT_ESM: ReadonlySet<string> = new Set(['node10', 'node16-cjs']);

let folder: string;
let tarballs: Map<string, Tarball>;
let loaded: Loaded;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'coord tarballs ')));
  const packed = await packAll(folder);
  await linkDeclaredOnly(packed);
  tarballs = new Map(packed.map((tarball) => [tarball.manifest.name, tarball]));
  loaded = await loadAll(packed);
}, 60_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

function tarballOf(name: string): Tarball {
  const tarball = tarballs.get(`@coord/${name}`);
  if (tarball === undefined) throw new Error(`@coord/${name} was not packed`);
  return tarball;
}

/** Every file that an entry of the exports names. */
function exported({ manifest }: Tarball): string[] {
  return Object.values(manifest.exports)
    .flatMap((entry) => (typeof entry === 'string' ? [entry] : Object.values(entry)))
    .map((path) => path.replace(/^\.\//, ''));
}

describe.each(NAMES)('the tarball of @coord/%s', (name) => {
  it('holds what it needs, and nothing else', async () => {
    const tarball = tarballOf(name);
    const files = await filesIn(tarball.folder);
    expect(files).toEqual(
      expect.arrayContaining(['LICENSE', 'README.md', 'package.json', ...exported(tarball)]),
    );
    const others = files.filter((file) => !/^(dist|src)\//.test(file));
    expect(others.filter((file) => file !== 'CHANGELOG.md')).toEqual([
      'LICENSE',
      'README.md',
      'package.json',
    ]);
    expect(files.filter((file) => /\.test\.|\.tsbuildinfo$/.test(file))).toEqual([]);
    // Whatever is compiled has its types, its map, and the source that the map points to: no more, no less.
    const sources = files.filter((file) => file.startsWith('src/') && file.endsWith('.ts'));
    const built = sources.flatMap((file) => {
      const base = file.replace(/^src\/(.*)\.ts$/, 'dist/$1');
      return [`${base}.d.ts`, `${base}.d.ts.map`, `${base}.js`, `${base}.js.map`];
    });
    expect(files.filter((file) => file.startsWith('dist/') && !/\.(json|mjs)$/.test(file))).toEqual(
      built.sort(),
    );
    for (const map of built.filter((file) => file.endsWith('.map'))) {
      const { sources: origins } = await readJson<{ sources: string[] }>(join(tarball.folder, map));
      for (const origin of origins) expect(files).toContain(posix.join(posix.dirname(map), origin));
    }
    expect(await readFile(join(tarball.folder, 'LICENSE'), 'utf8')).toBe(
      await readFile(join(ROOT, 'LICENSE'), 'utf8'),
    );
  });

  it('says what it is, and nothing of the workspace', () => {
    const { manifest } = tarballOf(name);
    expect(manifest).toMatchObject({
      name: `@coord/${name}`,
      description: expect.stringMatching(/.{20}/),
      keywords: expect.arrayContaining(['etcd']),
      license: 'MIT',
      type: 'module',
      sideEffects: false,
      engines: { node: '>=20.19' },
      publishConfig: { access: 'public' },
    });
    expect(JSON.stringify(manifest)).not.toMatch(/workspace:|catalog:|@coord\/source|link:|file:/);
    const { dependencies = {}, peerDependencies = {} } = manifest;
    for (const [dependency, range] of Object.entries({ ...dependencies, ...peerDependencies })) {
      if (dependency.startsWith('@coord/')) expect(range).toBe(`^${manifest.version}`);
    }
  });

  it('is to the liking of publint', async () => {
    const { file } = tarballOf(name);
    const bytes = await readFile(file);
    const tarball = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
    expect(pkg).toMatchObject({ name: `@coord/${name}` });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  it('is to the liking of attw', async () => {
    const analysis = await checkPackage(createPackageFromTarballData(await readFile(tarballOf(name).file)));
    expect(analysis).toMatchObject({ packageName: `@coord/${name}`, types: { kind: 'included' } });
    const problems = 'problems' in analysis ? analysis.problems : [];
    const relevant = problems.filter(
      (each) => !('resolutionKind' in each && NOT_ESM.has(each.resolutionKind)),
    );
    expect(relevant).toEqual([]);
  });

  it('loads by import and by require, with nothing but what it declares', () => {
    const entries = entriesOf(tarballOf(name));
    expect(entries).toContain(`@coord/${name}`);
    for (const entry of entries) expect(loaded.modules).toHaveProperty([entry], 'one module');
    expect(loaded.warnings).toBe('');
  });
});
