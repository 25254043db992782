import { describe, expect, it } from 'vitest';
import { checkKeyPrefix, checkLockName, escapeName, mutexPlace } from './lock-key.js';

describe('mutexPlace', () => {
  it('lays keys out as Go does, with the lease first', () => {
    const { etcdKeys, lanes, abortKey } = mutexPlace(
      { keyPrefix: '/locks', rawNames: false },
      'jobs/a',
      0x1fn,
    );
    expect(lanes).toEqual(['/locks/jobs%2Fa/']);
    expect(etcdKeys).toHaveLength(1);
    expect(etcdKeys[0]).toMatch(/^\/locks\/jobs%2Fa\/1f-[0-9a-f-]{36}$/);
    expect(abortKey).toBe(`/coord/locks/abort/${etcdKeys[0].slice('/locks/jobs%2Fa/1f-'.length)}`);
  });

  it('never repeats', () => {
    const keys = Array.from(
      { length: 100 },
      () => mutexPlace({ keyPrefix: '/locks', rawNames: false }, 'a', 1n).etcdKeys[0],
    );
    expect(new Set(keys).size).toBe(100);
  });
});

describe('names', () => {
  it('are escaped so that no two share a queue', () => {
    const names = ['a', 'a/b', 'a%2Fb', 'a%252Fb', 'a//b', '/a', 'a/'];
    expect(new Set(names.map(escapeName)).size).toBe(names.length);
    for (const name of names) {
      expect(escapeName(name)).not.toContain('/');
      expect(decodeURIComponent(escapeName(name))).toBe(name);
    }
  });

  it('are checked', () => {
    for (const name of ['a', 'a/b', '/', './', '…', 'x'.repeat(512)]) {
      expect(checkLockName([], 'key', name)).toEqual([]);
    }
    for (const name of ['', '.', '..', '\0', '\udc00', 'é'.repeat(257), 1]) {
      expect(checkLockName([], 'key', name)).toHaveLength(1);
    }
  });

  it('have a prefix that is checked', () => {
    for (const prefix of ['/locks', '/a/b', '/coordinator', '/a/coord']) {
      expect(checkKeyPrefix([], 'keyPrefix', prefix)).toEqual([]);
    }
    for (const prefix of [
      '',
      'a',
      '/',
      '/a/',
      '//a',
      '/.',
      '/coord',
      '/coord/locks',
      '/coord/locks/abort',
      '/coord/locks/rw',
      5,
    ]) {
      expect(checkKeyPrefix([], 'keyPrefix', prefix)).toHaveLength(1);
    }
  });
});
