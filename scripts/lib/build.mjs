import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun } from './child.mjs';
import { install } from './install.mjs';
import { oneAtATime } from './one-at-a-time.mjs';
import { inRoot, ROOT, toolEntry } from './root.mjs';
import { say, step } from './say.mjs';

/** `npm run build`: everything up to date in the dist folder of each package. Arguments go to turbo. */
export async function commandBuild(args) {
  await build(args);
  say('Built: packages/*/dist');
  return 0;
}

/** Dependencies, import arrows, then every package whose sources or siblings changed. */
export async function build(turboArgs = []) {
  await oneAtATime(async () => {
    await install();
    await step('Check the import arrows between packages', checkArrows);
    await step('Build the packages', async () => {
      removeLeftovers();
      const output = await turbo('run', 'build', '--output-logs=errors-only', ...turboArgs);
      return /Cached:\s*(.+), /.exec(output)?.[1];
    });
  });
}

async function turbo(...args) {
  return mustRun(process.execPath, [toolEntry('turbo'), ...args, '--no-color'], {
    failure: 'The build failed',
    remedy: 'mend the errors above (file, line and message of the compiler), then run the command again',
  });
}

/** Who may import whom stands in turbo.json; entry points and testkit in biome.json. */
export async function checkArrows(cwd = ROOT) {
  await mustRun(process.execPath, [toolEntry('turbo'), 'boundaries', '--no-color'], {
    cwd,
    failure: 'A package imports what it must not',
    remedy:
      'import a package that turbo.json allows (boundaries.tags) and package.json declares, by its name',
  });
  const only = ['--only=style/noRestrictedImports', '--max-diagnostics=50', '--colors=off'];
  await mustRun(process.execPath, [toolEntry('@biomejs/biome'), 'lint', ...only], {
    cwd,
    failure: 'A package imports what it must not',
    remedy: 'import an entry point that biome.json allows (noRestrictedImports)',
  });
}

/**
 * The compiler neither removes the output of a source file that is gone, nor writes again what somebody removed.
 * Both would stay in dist, and in turbo's cache.
 */
function removeLeftovers() {
  for (const name of readdirSync(inRoot('packages'))) {
    const dist = inRoot('packages', name, 'dist');
    if (!existsSync(dist)) continue;
    const source = (output) =>
      inRoot('packages', name, 'src', output.replace(/(\.d\.ts|\.js)(\.map)?$/, '.ts'));
    const outputs = filesIn(dist).filter((file) => /\.(js|d\.ts)(\.map)?$/.test(file));
    for (const file of outputs) if (!existsSync(source(file))) rmSync(join(dist, file));
    const sources = filesIn(inRoot('packages', name, 'src')).filter((file) =>
      /^(?!.*\.(test|d)\.ts$).*\.ts$/.test(file),
    );
    const complete = sources.every((file) =>
      ['.js', '.d.ts'].every((end) => existsSync(join(dist, file.replace(/\.ts$/, end)))),
    );
    if (!complete) rmSync(join(dist, '.tsbuildinfo'), { force: true });
  }
}

function filesIn(folder) {
  return readdirSync(folder, { recursive: true }).map(String);
}
