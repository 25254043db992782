import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { abortable, Interrupted } from './child.mjs';
import { inRoot } from './root.mjs';
import { detail, Failure, step } from './say.mjs';

/** Finds or fetches an etcd through the built testkit; resolves to its file and its exact version. */
export async function prepareEtcd(version = process.env.COORD_ETCD_VERSION || undefined) {
  const { ensureEtcd } = await import(pathToFileURL(builtTestkit()).href);
  let found;
  await step(version ? `Find an etcd ${version}` : 'Find an etcd', async () => {
    try {
      found = await abortable((signal) => ensureEtcd({ version, onProgress: detail, signal }));
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      throw new Failure(`There is no etcd to work with: ${error.message}`, {
        remedy: 'if that does not help, put an etcd on PATH, or set COORD_ETCD_BIN to the path of one',
        cause: error,
      });
    }
    return `${found.version}, ${found.etcdFile}`;
  });
  return found;
}

/** What a child needs to find that etcd first. */
export function etcdEnvironment({ etcdFile }) {
  return { COORD_ETCD_BIN: etcdFile };
}

function builtTestkit() {
  const file = inRoot('packages', 'testkit', 'dist', 'index.js');
  if (!existsSync(file)) throw new Failure(`${file} is missing`, { remedy: 'run npm run build' });
  return file;
}
