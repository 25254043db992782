import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blocksOf, type ReadmeBlock, readmes } from './readme-blocks.js';
import { ROOT, runProgram } from './run-program.js';

/** What users are told to replace by their own. */
const DEFAULT_TARGET = '127.0.0.1:2379';

const blocks = readmes().flatMap(blocksOf);
/** One a line: the fewer, the better. */
const FRAGMENTS = ['packages/grpc-resolver/README.md', 'packages/lock/README.md'];

const programs = blocks.filter(({ fragment }) => !fragment);

/** Without comments, which are translated. */
const bare = ({ code }: ReadmeBlock) => code.replaceAll(/(^|\s+)\/\/.*$/gm, '');
/** A program that is on several pages need not run several times. */
const distinct = programs.filter((block, index) => programs.findIndex(sameAs(block)) === index);

function sameAs(block: ReadmeBlock): (other: ReadmeBlock) => boolean {
  return (other) => bare(other) === bare(block);
}

let etcd: EtcdServer;
/** Within the workspace, so that imports are resolved as they are for the examples. */
let folder: string;

beforeAll(async () => {
  const cache = join(ROOT, 'examples', '.cache');
  mkdirSync(cache, { recursive: true });
  folder = mkdtempSync(join(cache, 'readme-'));
  etcd = await startEtcd();
});

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await etcd?.stop();
});

const titleOf = ({ readme, line }: ReadmeBlock) => `${readme}:${line}`;

function write(block: ReadmeBlock, extension: string, target: string): string {
  const file = join(folder, `${titleOf(block).replaceAll(/[/:]/g, '-')}.${extension}`);
  writeFileSync(file, block.code.replaceAll(DEFAULT_TARGET, target));
  return file;
}

describe('every block of a README runs as it stands', () => {
  it.each(distinct.map((block) => [programs.filter(sameAs(block)).map(titleOf).join(', '), block] as const))(
    '%s',
    async (_title, block) => {
      const end = await runProgram(write(block, block.language, etcd.target));
      expect(end.exitCode, end.stdout + end.stderr).toBe(0);
    },
  );
});

it('there are blocks in every README, and few that do not run by themselves', () => {
  expect(new Set(programs.map(({ readme }) => readme))).toEqual(new Set(readmes()));
  expect(blocks.filter(({ fragment }) => fragment).map(({ readme }) => readme)).toEqual(FRAGMENTS);
});

it('the READMEs in English and Chinese have the same blocks', () => {
  expect(blocksOf('README.zh-CN.md').map(bare)).toEqual(blocksOf('README.md').map(bare));
});

it('every block is strict TypeScript, too', () => {
  for (const block of programs) write(block, 'mts', DEFAULT_TARGET);
  const options = { noEmit: true, incremental: false, rootDir: ROOT };
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: '../../../tsconfig.test.json', compilerOptions: options, include: ['*.mts'] }),
  );
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
  expect(status, stdout).toBe(0);
});
