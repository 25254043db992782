import { mustRun } from './child.mjs';
import { install } from './install.mjs';
import { oneAtATime } from './one-at-a-time.mjs';
import { inRoot } from './root.mjs';
import { Failure, say, step } from './say.mjs';

const MODES = {
  build: 'Built: docs/.vitepress/dist. To look at it: npm run docs -- preview',
  dev: '',
  preview: '',
};

/** `npm run docs`: the documentation as a site; `-- dev` shows it and follows changes, `-- preview` shows what was built. */
export async function commandDocs([mode = 'build', ...args]) {
  if (!Object.hasOwn(MODES, mode)) {
    throw new Failure(`The documentation has no "${mode}".`, {
      remedy: `npm run docs, or npm run docs -- ${Object.keys(MODES).join('|')}`,
    });
  }
  await oneAtATime(install);
  if (mode === 'build') await buildDocs();
  else {
    if (mode === 'dev') await makeReference();
    await vitepress(mode, args, { output: 'show', failure: 'The site ended' });
  }
  say(MODES[mode]);
  return 0;
}

/** The whole site, offline; a link to nowhere fails. */
export async function buildDocs() {
  await makeReference();
  await step('Build the documentation (VitePress)', async () => {
    await vitepress('build', [], {
      failure: 'The documentation could not be built',
      remedy: 'mend what is said above; dead links are named with the page that holds them',
    });
  });
}

async function makeReference() {
  await step('Make the API reference from the doc comments (TypeDoc)', async () => {
    await mustRun(process.execPath, [inRoot('docs', 'node_modules', 'typedoc', 'bin', 'typedoc')], {
      cwd: inRoot('docs'),
      failure: 'The API reference could not be made',
      remedy: 'mend the doc comments named above',
    });
  });
}

function vitepress(mode, args, options) {
  const program = inRoot('docs', 'node_modules', 'vitepress', 'bin', 'vitepress.js');
  return mustRun(process.execPath, [program, mode, inRoot('docs'), ...args], options);
}
