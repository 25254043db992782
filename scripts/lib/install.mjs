import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { mustRun } from './child.mjs';
import { inRoot, readJson } from './root.mjs';
import { step } from './say.mjs';

const STAMP = inRoot('node_modules', '.coord-installed');
const TOOLS = ['@biomejs/biome', '@changesets/cli', 'pnpm', 'tsx', 'turbo', 'typescript', 'vitest'];

/** Installs exactly what the lockfile says, unless the last installation did so already. */
export async function install() {
  const wanted = fingerprint();
  if (installed() === wanted) return;
  const pnpm = readJson('package.json').packageManager;
  const [npm, ...npmArgs] = npmCommand();
  await step(`Install the dependencies with ${pnpm} (the first time it downloads them)`, async () => {
    await mustRun(
      npm,
      [...npmArgs, 'exec', '--yes', `--package=${pnpm}`, '--', 'pnpm', 'install', '--frozen-lockfile'],
      {
        output: 'lines',
        failure: 'The dependencies could not be installed',
        remedy:
          'see the lines above. No network or a proxy: set it in your npm configuration. ' +
          `"lockfile is not up to date": run npx -y ${pnpm} install, and commit pnpm-lock.yaml`,
      },
    );
    writeFileSync(STAMP, wanted);
  });
}

/** How npm is started: the one that runs this script, if any, else the one on PATH. */
export function npmCommand() {
  const running = process.env.npm_execpath;
  if (running && basename(running) === 'npm-cli.js') return [process.execPath, running];
  return [process.platform === 'win32' ? 'npm.cmd' : 'npm'];
}

function installed() {
  const complete = TOOLS.every((name) => existsSync(inRoot('node_modules', name, 'package.json')));
  return complete && existsSync(STAMP) ? readFileSync(STAMP, 'utf8') : undefined;
}

/** Hashes everything that decides what an installation puts into node_modules. */
function fingerprint() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}`);
  const members = readdirSync(inRoot('packages')).map((name) => join('packages', name));
  const manifests = [
    '.',
    'examples',
    'bench',
    'faults',
    'hostile-values',
    'packaging',
    'docs',
    ...members,
  ].map((folder) => join(folder, 'package.json'));
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', ...manifests.sort()]) {
    if (existsSync(inRoot(file))) hash.update(`\0${file}\0`).update(readFileSync(inRoot(file)));
  }
  return hash.digest('hex');
}
