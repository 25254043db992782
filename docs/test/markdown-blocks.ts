import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the workspace. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A fenced block of a page. */
export interface Block {
  /** The Markdown file, or the source with doc comments, relative to the root. */
  readonly page: string;
  /** Of the opening fence. */
  readonly line: number;
  /** As the fence says, in lower case; empty if it says nothing. */
  readonly language: string;
  /** `run` unless the fence says otherwise. */
  readonly use: BlockUse;
  /** Why it is not run; with `no-run` and `no-check` only. */
  readonly reason: string;
  readonly code: string;
}

/**
 * What is done with a block: `run` is everything; `no-run` checks its types, and `no-check` nothing at all. The fence says
 * so, with the reason: three backticks, then `ts no-run: it needs a cluster of three`.
 */
export type BlockUse = 'run' | 'no-run' | 'no-check';

/** Fences of any length, also indented ones and those in quotes: no block may slip through. */
const FENCE = /^([\s>]*)(`{3,}|~{3,})\s*([^`]*)$/;

/** What is neither written by hand nor read by people. */
const LEFT_OUT = /^(\..*|node_modules|dist|CHANGELOG\.md)$/;

/** Every Markdown file of the repository that people read, but for the API reference, which is generated. */
export function pages(folder = ''): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter(({ name }) => !LEFT_OUT.test(name) && join(folder, name) !== join('docs', 'api'))
    .flatMap((entry) => {
      const path = posix.join(folder, entry.name);
      if (entry.isDirectory()) return pages(path);
      return path.endsWith('.md') ? [path] : [];
    })
    .sort();
}

/** The sources of the packages with an example in a doc comment, which the API reference shows. */
export function sourcesWithExamples(): string[] {
  const folders = readdirSync(join(ROOT, 'packages')).map((name) => `packages/${name}/src`);
  return folders
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true }).map((file) => `${folder}/${file}`),
    )
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && blocksOf(file).length > 0)
    .sort();
}

export function blocksOf(page: string): Block[] {
  const text = readFileSync(join(ROOT, page), 'utf8').split('\n');
  const lines = page.endsWith('.md') ? text : text.map(commentOf);
  const blocks: Block[] = [];
  let open: { readonly block: Omit<Block, 'code'>; readonly fence: string } | undefined;
  let code: string[] = [];
  for (const [index, text] of lines.entries()) {
    const [, , fence = '', info = ''] = FENCE.exec(text) ?? [];
    if (open === undefined) {
      if (fence === '') continue;
      open = { block: { page, line: index + 1, ...infoOf(info, `${page}:${index + 1}`) }, fence };
      code = [];
    } else if (fence.startsWith(open.fence) && info.trim() === '') {
      blocks.push({ ...open.block, code: `${code.join('\n')}\n` });
      open = undefined;
    } else code.push(text);
  }
  if (open !== undefined) throw new Error(`${page}:${open.block.line}: the block has no end`);
  return blocks;
}

/** What a line of a doc comment says; the same number of lines, so that each keeps its place. */
function commentOf(line: string): string {
  return /^\s*\* ?(.*)$/.exec(line)?.[1] ?? '';
}

function infoOf(info: string, where: string): Pick<Block, 'language' | 'use' | 'reason'> {
  const [, language = '', rest = ''] = /^([\w+#-]*)\s*(.*)$/.exec(info.trim()) ?? [];
  const [, use, reason = ''] = /\b(no-run|no-check)\b:?\s*(.*)$/.exec(rest) ?? [];
  if (use !== undefined && reason === '') throw new Error(`${where}: ${use} without a reason`);
  return {
    language: language.toLowerCase(),
    use: use === 'no-run' || use === 'no-check' ? use : 'run',
    reason,
  };
}

export const titleOf = ({ page, line }: Block) => `${page}:${line}`;

/** Without comments, which are translated. */
export const bare = ({ code }: Block) => code.replaceAll(/(^|\s+)(\/\/|#).*$/gm, '');
