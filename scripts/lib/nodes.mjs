import { mustRun } from './child.mjs';
import { npmCommand } from './install.mjs';

/** The major versions of Node that are supported. */
export const NODES = ['20', '22', '24'];

/** The path of a Node of that major version, fetched into npm's cache unless it is the one running. */
export async function nodeOfMajor(major) {
  if (process.versions.node.split('.')[0] === major) return process.execPath;
  const [npm, ...npmArgs] = npmCommand();
  const ask = [
    ...npmArgs,
    'exec',
    '--yes',
    `--package=node@${major}`,
    '--',
    'node',
    '-p',
    'process.execPath',
  ];
  const output = await mustRun(npm, ask, {
    failure: `Node ${major} does not start here: npx -y -p node@${major} node --version fails`,
    remedy: `see the output above; or leave it out, for example: npm run test:full -- --node ${process.versions.node.split('.')[0]}`,
  });
  return output.trim().split('\n').at(-1);
}
