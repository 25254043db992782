import { describe, expect, it } from 'vitest';
import { authorityOf, serviceNameOf, targetOf } from './target.js';

const target = (path: string) => ({ scheme: 'etcd', authority: '', path });

describe('serviceNameOf', () => {
  it.each([
    ['user-service', 'user-service'],
    ['user-service?x=1', 'user-service'],
    ['user-service#x', 'user-service'],
    ['caf%C3%A9', 'café'],
  ])('reads %s', (path, name) => {
    expect(serviceNameOf(target(path))).toBe(name);
  });

  it.each(['?x', 'a/b', 'a%2Fb', '%', '..', '/a'])('refuses %s', (path) => {
    expect(() => serviceNameOf(target(path))).toThrow(/target/);
  });
});

describe('authorityOf', () => {
  it.each([
    ['user-service', 'user-service'],
    ['caf%C3%A9', 'caf%C3%A9'],
    ['user%3Av2', 'localhost'],
    ['billing.2024', 'localhost'],
  ])('of %s is a host', (path, authority) => {
    expect(authorityOf(target(path))).toBe(authority);
  });
});

it('makes targets that it can read, whatever the name', () => {
  const name = 'é ?#%:@';
  const made = targetOf('etcd', name);
  expect(serviceNameOf(target(made.slice('etcd:///'.length)))).toBe(name);
  expect(authorityOf(target(made.slice('etcd:///'.length)))).toMatch(/^[\x21-\x7e]+$/);
});
