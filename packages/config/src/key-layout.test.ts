import type { IssueList } from '@coord/client/internal';
import { describe, expect, it } from 'vitest';
import { createKeyLayout, normalizeKey, normalizePrefix } from './key-layout.js';
import { resolveConfigCenterConfig } from './options.js';

function keyProblems(key: unknown): number {
  const issues: IssueList = [];
  normalizeKey(issues, key);
  return issues.length;
}

describe('keys', () => {
  it.each([
    '',
    '/',
    'a//b',
    '//a',
    'a/',
    '.',
    'a/../b',
    '../lock/x',
    'a/@',
    '@',
    'a\0b',
    '\ud800',
    'x'.repeat(513),
    7,
    undefined,
    null,
    {},
  ])('refuses %j', (key) => {
    expect(keyProblems(key)).toBeGreaterThan(0);
  });

  it.each([
    ['app', 'app'],
    ['/app/db', 'app/db'],
    ['a b/ü', 'a b/ü'],
    ['a@b', 'a@b'],
    ['x'.repeat(512), 'x'.repeat(512)],
  ])('takes %j', (key, normalized) => {
    const issues: IssueList = [];
    expect(normalizeKey(issues, key)).toBe(normalized);
    expect(issues).toEqual([]);
  });

  it('limits the whole key too', () => {
    expect(keyProblems(Array(8).fill('x'.repeat(300)).join('/'))).toBe(1);
  });

  it.each([
    ['', ''],
    ['/', ''],
    ['app', 'app'],
    ['/app/', 'app'],
    ['app/db/', 'app/db'],
  ])('prefix %j is %j', (prefix, normalized) => {
    const issues: IssueList = [];
    expect(normalizePrefix(issues, prefix)).toBe(normalized);
    expect(issues).toEqual([]);
  });

  it('refuses a bad prefix', () => {
    const issues: IssueList = [];
    normalizePrefix(issues, 'a/../b');
    expect(issues.length).toBe(1);
  });
});

describe('layout', () => {
  const layout = createKeyLayout('/config');

  it('is that of the Go originals, with the records beside it', () => {
    expect(layout.raw('app/db')).toBe('/config/app/db');
    expect(layout.meta('app/db')).toBe('/coord/config/meta/app/db');
    expect(layout.history('app/db', 12)).toBe('/coord/config/hist/app/db/@/000000000012');
  });

  it('finds the key again', () => {
    expect(layout.keyOf('/config/app/db')).toBe('app/db');
    expect(layout.keyOf('/config/app//db')).toBeUndefined();
    expect(layout.keyOfMeta('/coord/config/meta/app/db')).toBe('app/db');
  });

  it('has ranges that end with the segment', () => {
    const { start, end } = layout.rawBelow('app');
    const below = (key: string) => key >= start && Buffer.compare(Buffer.from(key), end) < 0;
    expect(below('/config/app/db')).toBe(true);
    expect(below('/config/app')).toBe(false);
    expect(below('/config/app2/db')).toBe(false);
  });
});

describe('keyPrefix', () => {
  it.each(['config', '', '/', '/a//b', '/../a', '/c', '/coord', '/coord/config', 7])(
    'refuses %j',
    (keyPrefix) => {
      expect(() => resolveConfigCenterConfig({ keyPrefix: keyPrefix as string })).toThrow();
    },
  );

  it('drops a slash at the end', () => {
    expect(resolveConfigCenterConfig({ keyPrefix: '/my/config/' }).keyPrefix).toBe('/my/config');
  });

  it('names every bad option at once', () => {
    const bad = { keyPrefix: 'x', maxVersionHistory: 0, enableVersioning: 'yes' } as object;
    expect(() => resolveConfigCenterConfig(bad)).toThrow(/keyPrefix.*enableVersioning.*maxVersionHistory/);
  });
});
