import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { bare, blocksOf, ROOT } from './markdown-blocks.js';

const TRANSLATIONS = [
  ['README.md', 'README.zh-CN.md'],
  ['docs/getting-started.md', 'docs/zh/getting-started.md'],
] as const;

/** What a page is made of, without its words: headings, tables with their code, items of lists, places it leads to. */
function shapeOf(page: string): string[] {
  const text = readFileSync(join(ROOT, page), 'utf8').replaceAll(/^```.*?^```$/gms, '```');
  const lines = text.split('\n').flatMap((line) => {
    const heading = /^#+/.exec(line)?.[0];
    if (heading !== undefined) return [heading];
    if (/^\|[ -]+\|/.test(line) && /^[| -]+$/.test(line)) return [`| ${line.split('|').length}`];
    if (line.startsWith('|')) return [`| ${/`[^`]+`/.exec(line.split(' | ')[0] ?? '')?.[0] ?? ''}`];
    return /^(- |```|:::|<!--)/.exec(line)?.slice(0, 1) ?? [];
  });
  const links = [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, target = '']) => samePlace(target));
  return [...lines, ...[...new Set(links)].sort()];
}

/** A page beside its translation leads to the same places, by another way. */
function samePlace(target: string): string {
  if (target.startsWith('#')) return 'a heading of the page itself';
  if (/^README(\.zh-CN)?\.md$/.test(target)) return 'the other language';
  return target.replace(/^\.\.\//, './').replace('docs/zh/', 'docs/');
}

it.each(TRANSLATIONS)('%s and %s hold the same', (original, translation) => {
  expect(shapeOf(translation)).toEqual(shapeOf(original));
});

it.each(TRANSLATIONS)('%s and %s have the same blocks, but for comments', (original, translation) => {
  expect(blocksOf(translation).map(bare)).toEqual(blocksOf(original).map(bare));
});
