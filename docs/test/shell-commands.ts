import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './markdown-blocks.js';

/** Programs that a page may name without anything of them being checked. */
const KNOWN = new Set(
  'cd cp curl docker etcd etcdctl etcdutl export git kubectl mkdir node openssl redis-cli systemctl'.split(
    ' ',
  ),
);

/** Packages of others that a page may tell users to install. */
const OTHERS = ['pino', 'winston', 'typescript', 'tsx', 'vitest', '@types/node'];

const json = (...path: string[]): Record<string, Record<string, string> | undefined> =>
  JSON.parse(readFileSync(join(ROOT, ...path), 'utf8'));

const packages = readdirSync(join(ROOT, 'packages')).map((name) => `@coord/${name}`);
const dependencies = [
  '.',
  'docs',
  'examples',
  'bench',
  'faults',
  ...packages.map((name) => name.replace('@coord', 'packages')),
]
  .map((folder) => json(folder, 'package.json'))
  .flatMap((manifest) =>
    ['dependencies', 'devDependencies', 'peerDependencies'].map((kind) => manifest[kind]),
  )
  .flatMap((list) => Object.keys(list ?? {}));
const installable = new Set([...packages, ...dependencies, ...OTHERS]);
const scripts = json('package.json').scripts ?? {};

/** The commands of a block as lists of words, without prompts, comments and redirections. */
export function commandsOf(code: string): string[][] {
  const lines = code.replaceAll(/\\\n/g, ' ').split('\n');
  return lines.flatMap((line) =>
    wordsOf(line.replace(/^\s*\$ /, ''))
      .reduce<string[][]>(
        (all, word) => {
          if (['|', '||', '&&', ';', '&'].includes(word)) all.push([]);
          else all.at(-1)?.push(word);
          return all;
        },
        [[]],
      )
      .map((words) => words.slice(words.findIndex((word) => !/^[A-Z_]+=/.test(word))))
      .filter((words) => words.length > 0 && !/^[A-Z_]+=/.test(words[0] ?? '')),
  );
}

function wordsOf(line: string): string[] {
  const words: string[] = [];
  for (const [match, double, single] of line.matchAll(
    /"((?:[^"\\]|\\.)*)"|'([^']*)'|(?:^|\s)#.*|[^\s"']+/g,
  )) {
    if (/^\s*#/.test(match)) break;
    words.push(double?.replaceAll(/\\(.)/g, '$1') ?? single ?? match);
  }
  return words;
}

/** Why users could not type that; undefined if they can. */
export function problemOf([program = '', ...args]: readonly string[]): string | undefined {
  if (program === 'npm' || program === 'pnpm' || program === 'yarn') return packageManagerProblem(args);
  if (program === 'npx') return undefined;
  return KNOWN.has(program) ? undefined : `"${program}" is no program that the pages know`;
}

function packageManagerProblem([verb = '', ...args]: readonly string[]): string | undefined {
  const words = args.filter((word) => !word.startsWith('-'));
  if (verb === 'test') return scripts.test === undefined ? 'there is no script "test"' : undefined;
  if (verb === 'run') return scriptProblem(args);
  if (['install', 'i', 'add'].includes(verb)) {
    const missing = words
      .map((word) => word.replace(/(?<=.)@[^/]*$/, ''))
      .find((name) => !installable.has(name));
    return missing === undefined
      ? undefined
      : `"${missing}" is no package of this workspace, nor one it uses`;
  }
  return ['init', 'ci', 'pack', 'pkg', 'create'].includes(verb)
    ? undefined
    : `"npm ${verb}" is not known to the pages`;
}

function scriptProblem([script = '', dashes, name]: readonly string[]): string | undefined {
  if (!Object.hasOwn(scripts, script)) return `there is no script "${script}"`;
  const folder = script === 'bench' ? 'bench' : script === 'example' ? 'examples' : undefined;
  if (folder === undefined || dashes !== '--' || name === undefined) return undefined;
  const known = readdirSync(join(ROOT, folder)).includes(`${name}.ts`);
  return known ? undefined : `there is no ${folder}/${name}.ts`;
}
