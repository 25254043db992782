import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BlockRunner } from './block-runner.js';
import { ROOT } from './markdown-blocks.js';

const runner = new BlockRunner({ SET_FOR_BLOCKS: 'yes', COORD_DOCS_END_MS: '300' });
let folder: string;

beforeAll(() => {
  const cache = join(ROOT, 'docs', '.cache');
  mkdirSync(cache, { recursive: true });
  folder = mkdtempSync(join(cache, 'runner-'));
});

afterAll(async () => {
  await runner[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

let files = 0;

function run(code: string, { extension = 'ts', timeoutMs = 30_000 } = {}) {
  const file = join(folder, `${++files}.${extension}`);
  writeFileSync(file, code);
  return runner.run(file, timeoutMs);
}

it.each([
  ['throws', "throw new Error('as it were');", /as it were/],
  ['rejects unseen', "void Promise.reject(new Error('unseen'));", /unseen/],
  ['goes on', 'setInterval(() => {}, 1_000);', /does not end by itself: Timeout/],
  ['says that it failed', 'process.exitCode = 3;', /set process.exitCode to 3/],
  ['ends its process', 'process.exit(4);', /ended with 4/],
  ['never gets ready', 'await new Promise(() => setInterval(() => {}, 1_000));', /not ended after/],
  ['does not load', "import 'no-such-package';", /no-such-package/],
])(
  'a program that %s has failed; the next one is none the worse',
  { timeout: 60_000 },
  async (_what, code, error) => {
    const timeoutMs = code.startsWith('await new') ? 3_000 : 30_000;
    expect((await run(code, { timeoutMs })).error).toMatch(error);
    expect(await run("console.log('fine')")).toEqual({ output: 'fine\n' });
  },
);

it('plain JavaScript is not compiled', { timeout: 60_000 }, async () => {
  expect((await run('const a: number = 1;', { extension: 'js' })).error).toMatch(/SyntaxError/);
  expect((await run('const a = 1;', { extension: 'js' })).error).toBeUndefined();
});

it('each finds the process as it was', { timeout: 60_000 }, async () => {
  const print =
    'console.log(process.env.SET_FOR_BLOCKS, process.env.LEFT, process.listenerCount("SIGTERM"));';
  await run(`process.env.LEFT = 'over'; process.env.SET_FOR_BLOCKS = 'no'; process.on('SIGTERM', () => {});`);
  expect(await run(print)).toEqual({ output: 'yes undefined 0\n' });
});
