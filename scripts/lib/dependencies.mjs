import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { install } from './install.mjs';
import { oneAtATime } from './one-at-a-time.mjs';
import { ROOT } from './root.mjs';
import { Failure, say, step } from './say.mjs';

/** What users may take without asking their lawyers again. */
const LICENCES = new Set(['MIT', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', '0BSD']);
/** Known install scripts, word by word. */
const INSTALL_SCRIPTS = { protobufjs: 'postinstall: node scripts/postinstall' }; // prints a notice
/** Dependencies of ours that are ranges, and why; all others are exact. */
const RANGES = {
  '@grpc/grpc-js': 'one copy with the application, whose channels and credentials it shares',
  '@standard-schema/spec': 'types alone',
  cockatiel: 'one copy with etcd3, which is given its policies',
  'node-forge': 'makes certificates for tests alone; a mended version is taken at once',
};
const HOOKS = ['preinstall', 'install', 'postinstall'];
const EXACT = /^\d+\.\d+\.\d+(?:-[\w.]+)?$/;

/** `npm run check:dependencies`: all that an installation of the packages brings along, and what is wrong with it. */
export async function commandCheckDependencies() {
  await oneAtATime(install);
  await checkDependencies();
  const rows = treeOf(ROOT).map(({ name, version, license }) => `${name}@${version}  ${String(license)}`);
  say(`${rows.join('\n')}\n${rows.length} packages are installed with Coord.`);
  return 0;
}

/** Fails if there is anything in the production tree that must not be there; needs no network. */
export async function checkDependencies() {
  await step('Check the dependencies of the packages: licences, install scripts, versions', async () => {
    const problems = dependencyProblems(ROOT);
    if (problems.length === 0) return;
    throw new Failure('The dependencies of the packages are not as they must be', {
      tail: problems.join('\n'),
      remedy: 'take another dependency, or change the rules in scripts/lib/dependencies.mjs, with the reason',
    });
  });
}

/** What is wrong with what the packages of a workspace bring along, as it is installed there. */
export function dependencyProblems(root) {
  const tree = treeOf(root);
  return [
    ...tree
      .filter(({ license }) => !isAllowed(license))
      .map((each) => `${of(each)}: the licence is ${show(each.license)}`),
    ...tree.flatMap((each) =>
      scriptsOf(each).map((script) => `${of(each)} runs at its installation: ${script}`),
    ),
    ...manifestsOf(root).flatMap((manifest) => rangesOf(manifest, catalogOf(root))),
    ...unverified(readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8')),
  ];
}

/** Every package of others that is installed with ours, by name and version; what is optional only where it is. */
function treeOf(root) {
  const found = new Map();
  const visit = ({ folder, manifest }) => {
    if (found.has(folder)) return;
    found.set(folder, { ...manifest, folder });
    for (const name of namesOf(manifest)) {
      const dependency = packageAt(name, folder);
      if (dependency) visit(dependency);
      else if (!isOptional(manifest, name))
        throw new Failure(`${name}, which ${manifest.name} needs, is not installed`);
    }
  };
  for (const { folder } of manifestsOf(root)) visit({ folder, manifest: manifestIn(folder) });
  const own = new Set(manifestsOf(root).map(({ folder }) => folder));
  const others = [...found.values()].filter(({ folder }) => !own.has(folder));
  return others.sort((a, b) => of(a).localeCompare(of(b)));
}

const namesOf = ({ dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta = {} }) =>
  Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }).filter(
    (name) => dependencies?.[name] || !peerDependenciesMeta[name]?.optional,
  );

const isOptional = ({ optionalDependencies = {} }, name) => name in optionalDependencies;
const of = ({ name, version }) => `${name}@${version}`;
const show = (value) => (typeof value === 'string' ? value : (JSON.stringify(value) ?? 'missing'));
const manifestIn = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

function manifestsOf(root) {
  return readdirSync(join(root, 'packages'))
    .map((name) => realpathSync(join(root, 'packages', name)))
    .filter((folder) => existsSync(join(folder, 'package.json')))
    .map((folder) => ({ ...manifestIn(folder), folder }));
}

/** As Node finds it from a folder: in the node_modules of that folder and those above. */
function packageAt(name, from) {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) {
      const real = realpathSync(candidate);
      return { folder: real, manifest: manifestIn(real) };
    }
    if (folder === dirname(folder)) return undefined;
  }
}

/** Of an SPDX expression each part that must be kept, any of what may be chosen. What is more involved is refused. */
function isAllowed(license) {
  if (typeof license !== 'string') return false;
  const flat = license.replace(/^\((.*)\)$/, '$1');
  return flat.split(' AND ').every((part) => part.split(' OR ').some((name) => LICENCES.has(name)));
}

function scriptsOf({ name, scripts = {}, folder }) {
  const found = HOOKS.filter((hook) => hook in scripts).map((hook) => `${hook}: ${scripts[hook]}`);
  // https://docs.npmjs.com/cli/using-npm/scripts: npm runs node-gyp for whoever has this file and no script
  if (found.length === 0 && existsSync(join(folder, 'binding.gyp'))) found.push('install: node-gyp rebuild');
  return found.filter((script) => script !== INSTALL_SCRIPTS[name]);
}

function rangesOf({ name: owner, dependencies = {} }, catalog) {
  return Object.entries(dependencies)
    .filter(([name]) => !(name in RANGES))
    .map(([name, version]) => [name, version === 'catalog:' ? (catalog.get(name) ?? version) : version])
    .filter(([, version]) => version !== 'workspace:^' && !EXACT.test(version))
    .map(([name, version]) => `${owner}: ${name} is ${version}, which is no exact version`);
}

function catalogOf(root) {
  const [, block = ''] = readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8').split(/^catalog:\n/m);
  const entries = block.split(/^\S/m)[0].matchAll(/^ {2}"?([^\s":]+)"?: (\S+)$/gm);
  return new Map([...entries].map(([, name, version]) => [name, version]));
}

/** What pnpm would install without comparing it with a hash, or from elsewhere than a registry. */
function unverified(lockfile) {
  return lockfile
    .split('\n')
    .filter((line) => /^\s+resolution:/.test(line))
    .filter((line) => !/^ {4}resolution: \{integrity: sha512-[\w+/=]+\}$/.test(line))
    .map((line) => `pnpm-lock.yaml: not from a registry by its hash alone: ${line.trim()}`);
}
