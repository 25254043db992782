import { describe, expect, it } from 'vitest';
import { formatHostPort, parseHostPort } from './address.js';

describe('parseHostPort', () => {
  it.each([
    ['10.0.0.1:8080', '10.0.0.1', 8080],
    ['users.internal:1', 'users.internal', 1],
    ['[::1]:65535', '::1', 65535],
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
  ])('refuses %s', (text) => {
    expect(parseHostPort(text)).toBeUndefined();
  });
});
