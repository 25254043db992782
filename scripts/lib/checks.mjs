import { checkArrows } from './build.mjs';
import { mustRun } from './child.mjs';
import { checkDependencies } from './dependencies.mjs';
import { install } from './install.mjs';
import { oneAtATime } from './one-at-a-time.mjs';
import { toolEntry } from './root.mjs';
import { say, step } from './say.mjs';

/** `npm run lint`: arrows, dependencies, biome, and types of the tests. Arguments go to biome, as in `npm run lint -- --write`. */
export async function commandLint(args) {
  await oneAtATime(install);
  await step('Check the import arrows between packages', checkArrows);
  await checkSources(args);
  say('Nothing to complain about.');
  return 0;
}

/**
 * Biome's rules and format, the types of everything the build leaves out (tests, examples, benchmarks), and what the
 * packages bring along.
 */
export async function checkSources(biomeArgs = []) {
  await checkDependencies();
  await step('Check rules and format (biome)', async () => {
    await mustRun(
      process.execPath,
      [toolEntry('@biomejs/biome'), 'check', '--error-on-warnings', '--colors=off', ...biomeArgs],
      {
        failure: 'biome is not content',
        remedy: 'npm run lint -- --write mends what can be mended mechanically; mend the rest by hand',
      },
    );
  });
  await step('Check the types of tests, examples and benchmarks (tsc)', async () => {
    await mustRun(process.execPath, [toolEntry('typescript', 'tsc'), '-p', 'tsconfig.test.json'], {
      failure: 'The types of tests, examples or benchmarks are wrong',
      remedy: 'mend the errors above, then run the command again',
    });
  });
}
