import { readFileSync, writeFileSync } from 'node:fs';
import { build } from './build.mjs';
import { runChild } from './child.mjs';
import { packageNames } from './pack.mjs';
import { inRoot, toolEntry } from './root.mjs';
import { Failure, step } from './say.mjs';

/**
 * `npm run release`: publishes every package whose version the registry does not have yet. Made for the release
 * workflow, whose first job has tested it all: npm vouches for the origin of what comes from there.
 */
export async function commandRelease() {
  const repository = repositoryUrl(process.env);
  const manifests = packageNames().map((name) => ({ name, file: inRoot('packages', name, 'package.json') }));
  await build();
  const before = manifests.map(({ file }) => readFileSync(file, 'utf8'));
  try {
    await step(`Name the repository in each package: ${repository}`, () => {
      for (const { name, file } of manifests) {
        const manifest = { ...JSON.parse(readFileSync(file, 'utf8')), ...origin(repository, name) };
        writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
      }
    });
    // Its output tells the workflow which versions are new.
    const args = [toolEntry('@changesets/cli', 'changeset'), 'publish'];
    const { code } = await runChild(process.execPath, args, { output: 'show' });
    if (code === 0) return 0;
    const remedy = 'see above; it can be run again';
    throw new Failure(`Not everything was published (exit code ${code})`, { remedy });
  } finally {
    for (const [index, { file }] of manifests.entries()) writeFileSync(file, before[index]);
  }
}

/**
 * Where the sources are. Taken from the workflow and kept nowhere else: npm refuses a statement of origin that
 * does not name the repository it comes from, and a fork releases as itself.
 */
export function repositoryUrl({ GITHUB_SERVER_URL = 'https://github.com', GITHUB_REPOSITORY }) {
  if (/^[\w.-]+\/[\w.-]+$/.test(GITHUB_REPOSITORY ?? '')) return `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}`;
  throw new Failure('GITHUB_REPOSITORY does not say which repository this is.', {
    remedy: 'let .github/workflows/release.yml release; to try out what would be published: npm run pack',
  });
}

/** The fields of a package.json that lead to the sources. */
export function origin(url, name) {
  const directory = `packages/${name}`;
  return {
    homepage: `${url}/tree/main/${directory}#readme`,
    bugs: { url: `${url}/issues` },
    repository: { type: 'git', url: `git+${url}.git`, directory },
  };
}
