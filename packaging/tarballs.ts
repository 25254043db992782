import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** The root of the clone. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

const run = promisify(execFile);

/** What a package says of itself in its package.json. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly [field: string]: unknown;
}

/** A package as it goes to the registry. */
export interface Tarball {
  readonly manifest: Manifest;
  /** The .tgz. */
  readonly file: string;
  /** A folder from which it can be imported. */
  readonly home: string;
  /** Its content, unpacked: `home/node_modules/@coord/…`. */
  readonly folder: string;
  /** The package in the workspace. */
  readonly source: string;
  readonly packedBytes: number;
  readonly unpackedBytes: number;
}

/** The folders of the packages that are published: `client`, `lock`… */
export async function packageNames(): Promise<string[]> {
  return (await readdir(join(ROOT, 'packages'))).sort();
}

/**
 * Packs every package as a release does, and unpacks it again.
 * @param destination an empty folder
 */
export async function packAll(destination: string): Promise<Tarball[]> {
  const names = await packageNames();
  await Promise.all(names.map(assertBuilt));
  const pnpm = join(ROOT, 'node_modules', 'pnpm', 'bin', 'pnpm.cjs');
  const command = ['--recursive', '--filter', './packages/*', 'pack', '--pack-destination', destination];
  await run(process.execPath, [pnpm, ...command], { cwd: ROOT, maxBuffer: 64 * 1024 * 1024 });
  return Promise.all(names.map((name) => unpack(name, destination)));
}

/** What is packed is what was built: a source without its output says that this was before. */
async function assertBuilt(name: string): Promise<void> {
  const folder = join(ROOT, 'packages', name);
  const sources = (await filesIn(join(folder, 'src'))).filter((file) => !file.endsWith('.test.ts'));
  const missing = sources.find((file) => !existsSync(join(folder, 'dist', file.replace(/\.ts$/, '.js'))));
  if (missing === undefined) return;
  throw new Error(`packages/${name}/dist lacks the output of src/${missing}: run npm run build first`);
}

async function unpack(name: string, destination: string): Promise<Tarball> {
  const source = join(ROOT, 'packages', name);
  const { version } = await readJson<Manifest>(join(source, 'package.json'));
  const file = join(destination, `coord-${name}-${version}.tgz`);
  const home = join(destination, name);
  const folder = join(home, 'node_modules', '@coord', name);
  await mkdir(folder, { recursive: true });
  await run('tar', ['-xzf', file, '-C', folder, '--strip-components=1']);
  const sizes = await Promise.all(
    (await filesIn(folder)).map(async (path) => (await stat(join(folder, path))).size),
  );
  return {
    manifest: await readJson<Manifest>(join(folder, 'package.json')),
    file,
    home,
    folder,
    source,
    packedBytes: (await stat(file)).size,
    unpackedBytes: sizes.reduce((sum, size) => sum + size, 0),
  };
}

/** What can be imported from it: `@coord/core`, `@coord/core/global`… */
export function entriesOf({ manifest }: Tarball): string[] {
  const entries = Object.keys(manifest.exports).filter((entry) => !entry.endsWith('.json'));
  return entries.map((entry) => posix.join(manifest.name, entry));
}

/** Every file below a folder, as paths relative to it, with `/`. */
export async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll('\\', '/'),
    )
    .sort();
}

export async function readJson<T>(file: string): Promise<T> {
  return JSON.parse(await readFile(file, 'utf8'));
}
