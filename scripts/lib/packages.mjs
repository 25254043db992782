import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { etcdEnvironment, prepareEtcd } from './etcd.mjs';
import { NODES, nodeOfMajor } from './nodes.mjs';
import { Failure } from './say.mjs';
import { endWithCounts } from './tests.mjs';
import { runVitest } from './vitest.mjs';

/**
 * `npm run check:packages`: packs every package, installs what belongs together in empty folders, by npm and by
 * pnpm, compiles against it, and runs it on every Node. Takes minutes, and needs the registry of npm.
 */
export async function commandCheckPackages(args) {
  return endWithCounts(async () => {
    const { nodes, vitestArgs } = parse(args);
    await build();
    return runPackageChecks({ nodes, vitestArgs });
  });
}

function parse(args) {
  try {
    const options = { node: { type: 'string', multiple: true } };
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    return { nodes: values.node ?? NODES, vitestArgs: positionals };
  } catch (cause) {
    throw new Failure(cause.message, { remedy: 'npm run check:packages -- [--node 22] [file …]', cause });
  }
}

/** The checks themselves, over what has been built; resolves to the counts. */
export async function runPackageChecks({ nodes = NODES, etcdVersion, vitestArgs = [] } = {}) {
  const etcd = await prepareEtcd(etcdVersion);
  const paths = {};
  for (const major of nodes) paths[major] = await nodeOfMajor(major);
  const env = {
    ...etcdEnvironment(etcd),
    COORD_TEST_BACKEND: 'binary',
    COORD_PACKAGING_NODES: JSON.stringify(paths),
  };
  return runVitest(['--config', 'packaging/vitest.config.ts', ...vitestArgs], { env });
}
