import { describe, expect, it } from 'vitest';
import { formatHostPort, parseHostPort } from './address.js';

describe('parseHostPort', () => {
  it.each([
    ['10.0.0.1:8080', '10.0.0.1', 8080],
    ['users.internal:1', 'users.internal', 1],
    ['[::1]:65535', '::1', 65535],
    [`${'a.'.repeat(126)}a:80`, `${'a.'.repeat(126)}a`, 80],
    ['1a.b2.3c:80', '1a.b2.3c', 80],
    ['my_host-1.:80', 'my_host-1.', 80],
  ])('reads %s', (text, host, port) => {
    expect(parseHostPort(text)).toEqual({ host, port });
    expect(formatHostPort(host, port)).toBe(text);
  });

  it.each([
    '10.0.0.1',
    ':80',
    'a:0',
    'a:65536',
    'a:8o',
    '::1:80',
    '[::1]',
    '[a]:80',
    'http://a:80',
    'a b:80',
    'a/b:80',
    '-a:80',
    'a-:80',
    'a..b:80',
    '.a:80',
    'a..:80',
    '10.0.0.256:80',
    '10.0.0:80',
    '1:80',
    'a.1:80',
    'é:80',
    'a\n:80',
    '[::1:80',
    '[::g]:80',
    '[10.0.0.1]:80',
    'a:99999',
    'a:+1',
    'a: 1',
    'a:1e3',
    `${'a'.repeat(64)}:80`,
    `${'a.'.repeat(127)}a:80`,
  ])('refuses %s', (text) => {
    expect(parseHostPort(text)).toBeUndefined();
  });
});
