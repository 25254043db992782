import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CoordClient, connect } from '@coord/client';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { BlockRunner } from './block-runner.js';
import { type Block, bare, blocksOf, pages, ROOT, sourcesWithExamples, titleOf } from './markdown-blocks.js';
import { commandsOf, problemOf } from './shell-commands.js';

/** What users are told to replace by their own. */
const DEFAULT_TARGET = '127.0.0.1:2379';

/** How a program of that language is called; nothing is compiled away from plain JavaScript. */
const EXTENSIONS: Readonly<Record<string, string>> = { ts: 'ts', js: 'js', cjs: 'cjs' };
const SHELL = ['sh'];
const DATA = ['json', 'yaml'];
/** Nothing of these is checked. */
const PLAIN = ['', 'text', 'go', 'ini', 'proto', 'promql', 'mermaid', 'dockerfile', 'diff'];

const blocks = [...pages(), ...sourcesWithExamples()].flatMap(blocksOf);
const programs = blocks.filter(({ language, use }) => language in EXTENSIONS && use !== 'no-check');
const running = programs.filter(({ use }) => use === 'run');
/** A program that is on several pages need not run several times. */
const distinct = running.filter((block, index) => running.findIndex(sameAs(block)) === index);
const ofLanguages = (languages: readonly string[]) =>
  blocks.filter(({ language, use }) => languages.includes(language) && use === 'run');

function sameAs(block: Block): (other: Block) => boolean {
  return (other) => bare(other) === bare(block);
}

let etcd: EtcdServer;
let client: CoordClient;
let runner: BlockRunner;
/** One compiler for all, at work while the programs run. */
let types: ReturnType<typeof compile> | undefined;
/** Within the workspace, so that imports are resolved as they are for users of the packages. */
let folder: string;

beforeAll(async () => {
  const cache = join(ROOT, 'docs', '.cache');
  mkdirSync(cache, { recursive: true });
  folder = mkdtempSync(join(cache, 'blocks-'));
  types = compile();
  etcd = await startEtcd();
  client = await connect(etcd.connectOptions);
  runner = new BlockRunner({ COORD_ENDPOINTS: etcd.target });
});

afterAll(async () => {
  await types;
  await runner?.[Symbol.asyncDispose]();
  await client?.close();
  await etcd?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Empty lines first, so that errors name the line of the page. */
function write(block: Block, extension: string, target: string): string {
  const file = join(folder, `${titleOf(block).replaceAll(/[/:]/g, '-')}.${extension}`);
  writeFileSync(file, `${'\n'.repeat(block.line)}${block.code.replaceAll(DEFAULT_TARGET, target)}`);
  return file;
}

/** The exit code of the compiler over all programs, and what it complains of. */
async function compile(): Promise<{ code: number | null; output: string }> {
  for (const block of programs) write(block, block.language === 'cjs' ? 'cts' : 'mts', DEFAULT_TARGET);
  const compilerOptions = { noEmit: true, incremental: false, rootDir: ROOT };
  const include = ['*.mts', '*.cts'];
  const config = { extends: '../../../tsconfig.test.json', compilerOptions, include };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const child = spawn(process.execPath, [tsc, '-p', folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('close', (code) => resolve({ code, output }));
  });
}

const titles = (block: Block) => running.filter(sameAs(block)).map(titleOf).join(', ');

describe('every program of a page or a doc comment runs as it stands', () => {
  let page: string | undefined;

  it.each(distinct.map((block) => [titles(block), block] as const))('%s', async (_title, block) => {
    // The blocks of one page build on each other; each page starts with nothing in etcd.
    if (page !== block.page) await client.kv.delete({ start: '\0', end: '\0' });
    page = block.page;
    const file = write(block, EXTENSIONS[block.language] ?? '', etcd.target);
    const { error, output } = await runner.run(file, 40_000);
    expect(error, output).toBeUndefined();
  });
});

it('every program is strict TypeScript', async () => {
  const { code, output } = (await types) ?? {};
  expect(code, output).toBe(0);
});

it('every command is one that exists', () => {
  const problems = ofLanguages(SHELL).flatMap((block) =>
    commandsOf(block.code).map((command) => ({ at: titleOf(block), problem: problemOf(command) })),
  );
  expect(problems.length).toBeGreaterThan(0);
  expect(problems.filter(({ problem }) => problem !== undefined)).toEqual([]);
});

it.each(DATA)('every block of %s can be read', (language) => {
  for (const block of ofLanguages([language])) {
    const documents = parseAllDocuments(block.code);
    for (const { errors } of Array.isArray(documents) ? documents : [])
      expect(errors, titleOf(block)).toEqual([]);
    if (language === 'json') expect(() => JSON.parse(block.code), titleOf(block)).not.toThrow();
  }
});

it('every block is of a language that is checked, or needs no check', () => {
  const known = [...Object.keys(EXTENSIONS), ...SHELL, ...DATA, ...PLAIN];
  expect(blocks.filter(({ language }) => !known.includes(language)).map(titleOf)).toEqual([]);
});

it('few blocks are not run, each for a reason', () => {
  const held = blocks.filter(({ use }) => use !== 'run');
  for (const block of held) console.log(`${titleOf(block)} ${block.use}: ${block.reason}`);
  expect(held.length).toBeLessThan(Math.max(3, running.length / 10));
});
