import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from './build.mjs';
import { mustRun } from './child.mjs';
import { CACHE, inRoot, readJson, toolEntry } from './root.mjs';
import { Failure, say, step } from './say.mjs';

/** The folders of the packages that are published. */
export const packageNames = () => readdirSync(inRoot('packages')).sort();

/** `npm run pack [-- FOLDER]`: every package as it goes to the registry, to be installed from files. */
export async function commandPack([folder = join(CACHE, 'tarballs'), ...rest]) {
  if (rest.length > 0 || folder.startsWith('-')) {
    throw new Failure('One folder, please.', { remedy: 'npm run pack -- FOLDER' });
  }
  await build();
  const destination = resolve(folder);
  const files = packageNames().map((name) =>
    join(destination, `coord-${name}-${readJson('packages', name, 'package.json').version}.tgz`),
  );
  await step('Pack the packages', async () => {
    mkdirSync(destination, { recursive: true });
    for (const file of files) rmSync(file, { force: true });
    await mustRun(
      process.execPath,
      [
        toolEntry('pnpm'),
        ...['--recursive', '--filter', './packages/*', 'pack', '--pack-destination', destination],
      ],
      { failure: 'The packages could not be packed', remedy: 'see the output above' },
    );
  });
  for (const file of files) say(`  ${file}  ${Math.ceil(statSync(file).size / 1024)} kB`);
  say(
    `\nInstall the ones you need, together with those they need: npm install ${join(destination, '*.tgz')}`,
  );
  return 0;
}
