import { describe, expect, it } from 'vitest';
import { hasFix, lowestVersion } from './server-version.js';

describe('hasFix', () => {
  const fixedIn = ['3.4.42', '3.5.28', '3.6.9'];

  it.each([
    ['3.3.27', false], // a line that never got it
    ['3.4.23', false],
    ['3.4.41', false],
    ['3.4.42', true],
    ['3.4.100', true],
    ['3.5.16', false],
    ['3.5.28', true],
    ['3.6.0', false],
    ['3.6.9-rc.1', false], // before the release
    ['3.6.9', true],
    ['3.6.10-rc.0', true],
    ['3.7.0-alpha.0', true], // born with it
    ['4.0.0', true],
    ['v3.5.28', true],
    ['3.5.28+git', true],
    ['', false],
    ['nonsense', false],
    [undefined, false],
  ])('%s: %s', (version, expected) => {
    expect(hasFix(version, fixedIn)).toBe(expected);
  });

  it('a line between two that were fixed never got it', () => {
    expect(hasFix('3.5.99', ['3.4.42', '3.6.9'])).toBe(false);
  });
});

describe('lowestVersion', () => {
  it('compares numbers, not text, and takes what it cannot read for the lowest', () => {
    expect(lowestVersion(['3.5.9', '3.5.16', '3.10.0'])).toBe('3.5.9');
    expect(lowestVersion(['3.6.0', '3.6.0-rc.1'])).toBe('3.6.0-rc.1');
    expect(lowestVersion(['3.6.0', 'unknown'])).toBe('unknown');
    expect(lowestVersion([])).toBeUndefined();
  });
});
