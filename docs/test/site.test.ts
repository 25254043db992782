import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
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
