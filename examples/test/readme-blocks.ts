import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './run-program.js';

/** A block of JavaScript or TypeScript in a README. */
export interface ReadmeBlock {
  /** The README, relative to the root. */
  readonly readme: string;
  /** Of the opening fence. */
  readonly line: number;
  readonly language: 'js' | 'ts';
  readonly code: string;
  /** Marked with `<!-- fragment -->`: it does not run by itself. */
  readonly fragment: boolean;
}

/** Fences in any spelling of the two languages, also indented ones: no block may slip through. */
const OPENING = /^\s*(?:```+|~~~+)\s*(js|javascript|mjs|jsx|ts|typescript|mts|tsx)\b/i;
const CLOSING = /^\s*(?:```+|~~~+)\s*$/;

export function readmes(): string[] {
  const packages = readdirSync(join(ROOT, 'packages'))
    .map((name) => `packages/${name}/README.md`)
    .filter((readme) => existsSync(join(ROOT, readme)));
  return ['README.md', 'README.zh-CN.md', ...packages.sort()];
}

export function blocksOf(readme: string): ReadmeBlock[] {
  const lines = readFileSync(join(ROOT, readme), 'utf8').split('\n');
  const blocks: ReadmeBlock[] = [];
  let open: { readonly line: number; readonly language: 'js' | 'ts'; readonly fragment: boolean } | undefined;
  let code: string[] = [];
  for (const [index, text] of lines.entries()) {
    if (open !== undefined) {
      if (CLOSING.test(text)) {
        blocks.push({ readme, ...open, code: `${code.join('\n')}\n` });
        open = undefined;
      } else code.push(text);
      continue;
    }
    const language = OPENING.exec(text)?.[1];
    if (language === undefined) continue;
    const before = lines.slice(0, index).findLast((line) => line.trim() !== '');
    code = [];
    open = {
      line: index + 1,
      language: /ts|type/i.test(language) ? 'ts' : 'js',
      fragment: before?.trim() === '<!-- fragment -->',
    };
  }
  if (open !== undefined) throw new Error(`${readme}:${open.line}: the block has no end`);
  return blocks;
}
