import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as core from '@coord/core';
import * as testkit from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import { ROOT } from './markdown-blocks.js';

const read = (...path: string[]) => readFileSync(join(ROOT, ...path), 'utf8');
const unique = (names: Iterable<string>) => [...new Set(names)].sort();

/** What stands as code in the first cells of the tables. */
function firstCells(text: string, pattern: RegExp): string[] {
  const cells = text.split('\n').map((line) => /^\| `([^`]+)`/.exec(line)?.[1] ?? '');
  return unique(cells.filter((cell) => pattern.test(cell)));
}

describe('the page on errors', () => {
  const page = read('docs', 'reference', 'errors.md');

  it('has every class that is exported, and no other', () => {
    const classes = [core, testkit]
      .flatMap((module) => Object.values<unknown>({ ...module }))
      .filter((value) => typeof value === 'function' && value.prototype instanceof Error)
      .map((value) => (typeof value === 'function' ? value.name : ''));
    expect(classes).toContain('LockTimeoutError');
    expect(firstCells(page, /Error$/)).toEqual(unique(classes));
  });

  it('has every code that the sources hold', () => {
    const codes = readdirSync(join(ROOT, 'packages'))
      .flatMap((name) =>
        readdirSync(join(ROOT, 'packages', name, 'src'), { recursive: true }).map((file) =>
          join('packages', name, 'src', `${file}`),
        ),
      )
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
      .flatMap((file) => [...read(file).matchAll(/'(COORD_[A-Z_]+)'/g)].map(([, code = '']) => code))
      .filter((code) => !read('docs', 'reference', 'environment.md').includes(`\`${code}\``));
    expect(codes).toContain('COORD_LOCK_TIMEOUT');
    const named = [...page.matchAll(/`(COORD_[A-Z_]+)`/g)].map(([, code = '']) => code);
    expect(unique(named)).toEqual(unique(codes));
  });
});

describe('the page on environment variables', () => {
  it('has every variable that the READMEs name, and no other', () => {
    const readmes = ['packages/core/README.md', 'packages/testkit/README.md', 'README.md'];
    const variables = readmes.flatMap((readme) => firstCells(read(readme), /^COORD_[A-Z_]+$/));
    expect(variables).toContain('COORD_ENDPOINTS');
    const page = read('docs', 'reference', 'environment.md');
    expect(firstCells(page, /^COORD_/)).toEqual(unique(variables));
  });
});
