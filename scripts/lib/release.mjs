import { readFileSync, writeFileSync } from 'node:fs';
import { build } from './build.mjs';
import { runChild } from './child.mjs';
import { packageNames } from './pack.mjs';
import { runPackageChecks } from './packages.mjs';
import { inRoot, toolEntry } from './root.mjs';
import { Failure, say, step } from './say.mjs';
import { countLine, succeeded } from './vitest.mjs';

/**
 * `npm run release`: publishes every package whose version the registry does not have yet. Made for the release
 * workflow: npm vouches for the origin of what comes from there.
 */
export async function commandRelease() {
  const repository = repositoryUrl(process.env);
  const manifests = packageNames().map((name) => ({ name, file: inRoot('packages', name, 'package.json') }));
  const before = manifests.map(({ file }) => readFileSync(file, 'utf8'));
  try {
    await step(`Name the repository in each package: ${repository}`, () => {
      for (const { name, file } of manifests) {
        const manifest = { ...JSON.parse(readFileSync(file, 'utf8')), ...origin(repository, name) };
        writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
      }
    });
    await build();
    const counts = await runPackageChecks();
    if (!succeeded(counts)) {
      say(countLine(counts));
      throw new Failure('The packages are not fit to be published', { remedy: 'see above' });
    }
    // Its output tells the workflow which versions are new.
    const { code } = await runChild(
      process.execPath,
      [toolEntry('@changesets/cli', 'changeset'), 'publish'],
      {
        output: 'show',
        env: { NPM_CONFIG_PROVENANCE: 'true' },
      },
    );
    if (code !== 0)
      throw new Failure(`Not everything was published (exit code ${code})`, {
        remedy: 'see above; it can be run again',
      });
    return 0;
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
