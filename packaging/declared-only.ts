import { execFile } from 'node:child_process';
import { mkdir, realpath, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { entriesOf, type Tarball } from './tarballs.js';

/**
 * Gives each unpacked package what it declares and nothing else, laid out as pnpm does. No registry is needed: the
 * packages of others are taken from the workspace. An optional peer stays absent.
 */
export async function linkDeclaredOnly(tarballs: readonly Tarball[]): Promise<void> {
  const siblings = new Map(tarballs.map(({ manifest: { name }, folder }) => [name, folder]));
  for (const { manifest, home, source } of tarballs) {
    const { dependencies = {}, peerDependencies = {}, peerDependenciesMeta = {} } = manifest;
    const peers = Object.keys(peerDependencies).filter((peer) => !peerDependenciesMeta[peer]?.optional);
    for (const name of [...Object.keys(dependencies), ...peers]) {
      const path = join(home, 'node_modules', name);
      await mkdir(dirname(path), { recursive: true });
      const target = siblings.get(name) ?? (await realpath(join(source, 'node_modules', name)));
      await symlink(target, path, 'junction');
    }
  }
}

const LOADER = `
import { createRequire } from 'node:module';
const loaded = {};
for (const [specifier, home] of JSON.parse(process.argv[1])) {
  try {
    const { imported } = await import(new URL(encodeURIComponent(encodeURIComponent(specifier)) + '.mjs', home).href);
    const required = createRequire(home)(specifier);
    loaded[specifier] = Object.keys(imported).length === 0 ? 'empty' : imported === required ? 'one module' : 'two modules';
  } catch (error) {
    loaded[specifier] = String(error);
  }
}
console.log(JSON.stringify(loaded));
`;

/** How each entry loaded: `one module`, or what was wrong. */
export interface Loaded {
  readonly modules: Readonly<Record<string, string>>;
  /** What Node.js had to say meanwhile. */
  readonly warnings: string;
}

/** Imports and requires every entry of every package from its own home, in one process. */
export async function loadAll(tarballs: readonly Tarball[]): Promise<Loaded> {
  const entries: [specifier: string, home: string][] = [];
  for (const tarball of tarballs) {
    for (const specifier of entriesOf(tarball)) {
      const file = join(tarball.home, `${encodeURIComponent(specifier)}.mjs`);
      await writeFile(file, `export * as imported from '${specifier}';\n`);
      entries.push([specifier, pathToFileURL(`${tarball.home}/`).href]);
    }
  }
  const args = ['--input-type=module', '-e', LOADER, JSON.stringify(entries)];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args);
  return { modules: JSON.parse(stdout), warnings: stderr };
}
