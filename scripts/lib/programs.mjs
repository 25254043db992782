import { existsSync, readdirSync } from 'node:fs';
import { parse } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from './build.mjs';
import { runChild } from './child.mjs';
import { etcdEnvironment, prepareEtcd } from './etcd.mjs';
import { inRoot } from './root.mjs';
import { Failure, say } from './say.mjs';

/** Commands that are one program each. */
const SINGLE = {
  demo: ['examples', 'demo', 'main.ts'],
  faults: ['faults', 'faults.ts'],
  soak: ['faults', 'soak.ts'],
};

/** `npm run demo`, `faults`, `soak`, `example -- NAME` and `bench -- NAME`: a program over the built packages. */
export async function runProgram(kind, args) {
  const { file, rest } = Object.hasOwn(SINGLE, kind) ? single(kind, args) : named(kind, args);
  await build();
  const etcd = await prepareEtcd();
  say('');
  const tsx = pathToFileURL(inRoot('node_modules', 'tsx', 'dist', 'esm', 'index.mjs')).href;
  const { code } = await runChild(process.execPath, ['--import', tsx, file, ...rest], {
    output: 'show',
    env: { ...etcdEnvironment(etcd), TSX_DISABLE_CACHE: '1' },
  });
  if (code !== 0)
    throw new Failure(`${kind} ended with exit code ${code}`, { remedy: 'see its output above' });
  return 0;
}

function single(kind, args) {
  const file = inRoot(...SINGLE[kind]);
  if (!existsSync(file)) throw new Failure(`${file} is missing`, { remedy: 'restore it from git' });
  return { file, rest: args };
}

function named(kind, [name, ...rest]) {
  const folder = kind === 'bench' ? 'bench' : 'examples';
  const names = existsSync(inRoot(folder)) ? programsIn(folder) : [];
  if (names.includes(name)) return { file: inRoot(folder, `${name}.ts`), rest };
  throw new Failure(name ? `There is no ${kind} "${name}".` : `Which ${kind}?`, {
    remedy:
      names.length > 0
        ? `npm run ${kind} -- NAME, with NAME one of: ${names.join(', ')}`
        : `there is none in ${folder} yet`,
  });
}

/** Every TypeScript file directly in the folder is a program of its own. */
function programsIn(folder) {
  const files = readdirSync(inRoot(folder)).filter((file) => /^(?!.*\.(test|d)\.ts$).*\.ts$/.test(file));
  return files.map((file) => parse(file).name).sort();
}
