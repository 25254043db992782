import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { pages, ROOT } from './markdown-blocks.js';

it('the tests that pages name as proofs are there', () => {
  const named = pages().flatMap((page) =>
    [
      ...readFileSync(join(ROOT, page), 'utf8').matchAll(
        /`((?:packages|examples|faults)\/[\w./-]+\.test\.ts)`/g,
      ),
    ].map(([, test = '']) => ({ page, test })),
  );
  expect(named.length).toBeGreaterThan(0);
  expect(named.filter(({ test }) => !existsSync(join(ROOT, test)))).toEqual([]);
});
