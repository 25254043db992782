import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { deadLinksOf } from './links.js';
import { pages, ROOT } from './markdown-blocks.js';

const DOCS = join(ROOT, 'docs');

// First, since pages link to what it makes.
it('the API reference can be made, and nothing that is exported lacks a doc comment', {
  timeout: 120_000,
}, () => {
  const program = join(DOCS, 'node_modules', 'typedoc', 'bin', 'typedoc');
  const { status, stdout, stderr } = spawnSync(process.execPath, [program], { cwd: DOCS, encoding: 'utf8' });
  expect(status, stdout + stderr).toBe(0);
});

it.each(pages())('no link of %s leads nowhere', (page) => {
  expect(deadLinksOf(page)).toEqual([]);
});

it('what a page takes over from another file is there', () => {
  const taken = pages().flatMap((page) =>
    [...readFileSync(join(ROOT, page), 'utf8').matchAll(/<!--\s*@include: ([^\s#]+)#([\w-]+)\s*-->/g)].map(
      ([, file = '', region = '']) => ({ file: join(ROOT, dirname(page), file), region }),
    ),
  );
  expect(taken.length).toBeGreaterThan(0);
  // VitePress takes the whole file if there is no such region, and nothing if there is no such file.
  for (const { file, region } of taken) {
    const text = readFileSync(file, 'utf8');
    const start = text.indexOf(`<!-- #region ${region} -->`);
    expect(start, `${file}#${region}`).toBeGreaterThan(-1);
    expect(text.indexOf(`<!-- #endregion ${region} -->`), `${file}#${region}`).toBeGreaterThan(start);
  }
});
