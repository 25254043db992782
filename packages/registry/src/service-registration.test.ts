import { ValidationError } from '@coord/client';
import { describe, expect, it } from 'vitest';
import type { ServiceRegistration } from './service-info.js';
import { resolveRegistration } from './service-registration.js';

const good: ServiceRegistration = { name: 'user', address: '10.0.0.1', port: 8080 };

function problems(registration: unknown): string[] {
  try {
    resolveRegistration(registration as ServiceRegistration, []);
  } catch (error) {
    if (error instanceof ValidationError) return error.issues.map(({ path }) => path);
    throw error;
  }
  return [];
}

describe('resolveRegistration', () => {
  it('fills in the defaults', () => {
    const info = resolveRegistration(good, []);
    expect(info).toMatchObject({ health: 'healthy', weight: 1, metadata: {} });
    expect(info.id).toMatch(/^[0-9a-f-]{36}$/);
  });

  it.each([
    [{ address: '10.0.0.1:8080' }, '10.0.0.1', 8080],
    [{ address: '10.0.0.1:8080', port: 8080 }, '10.0.0.1', 8080],
    [{ address: '[::1]:8080' }, '::1', 8080],
    [{ address: '::1', port: 8080 }, '::1', 8080],
    [{ address: '[::1]', port: 8080 }, '::1', 8080],
    [{ address: 'users.internal', port: 1 }, 'users.internal', 1],
  ])('takes %j', (form, address, port) => {
    expect(resolveRegistration({ name: 'user', ...form }, [])).toMatchObject({ address, port });
  });

  it.each([
    [{ ...good, name: '' }, ['service.name']],
    [{ ...good, name: 'a/b' }, ['service.name']],
    [{ ...good, id: '..' }, ['service.id']],
    [{ ...good, id: 'x\0' }, ['service.id']],
    [{ ...good, address: 'http://x' }, ['service.address']],
    [{ ...good, address: '' }, ['service.address']],
    [{ name: 'user', address: 'x' }, ['service.port']],
    [{ ...good, address: 'x:1' }, ['service.port']],
    [{ ...good, port: 0 }, ['service.port']],
    [{ ...good, port: 1.5 }, ['service.port']],
    [{ ...good, port: '80' }, ['service.port']],
    [{ ...good, weight: Number.NaN }, ['service.weight']],
    [{ ...good, weight: -1 }, ['service.weight']],
    [{ ...good, weight: Number.POSITIVE_INFINITY }, ['service.weight']],
    [{ ...good, health: 'ok' }, ['service.health']],
    [{ ...good, metadata: { a: 1 } }, ['service.metadata.a']],
    [{ ...good, metadata: [] }, ['service.metadata']],
    [{ ...good, tags: ['a', 1] }, ['service.tags[1]']],
    [{ ...good, zone: 1 }, ['service.zone']],
    [{ ...good, metadata: { big: 'x'.repeat(70_000) } }, ['service']],
    [{ ...good, name: '.' }, ['service.name']],
    [{ ...good, name: '@' }, ['service.name']],
    [{ ...good, name: 'x'.repeat(513) }, ['service.name']],
    [{ ...good, name: 'é'.repeat(257) }, ['service.name']],
    [{ ...good, name: '\ud800' }, ['service.name']],
    [{ ...good, id: '' }, ['service.id']],
    [{ ...good, id: 'a/../b' }, ['service.id']],
    [{ ...good, id: 5 }, ['service.id']],
    [{ ...good, id: null }, ['service.id']],
    [{ name: 'user', address: 'a:99999' }, ['service.address']],
    [{ name: 'user', address: '[::1' }, ['service.address']],
    [{ name: 'user', address: '10.0.0.256', port: 1 }, ['service.address']],
    [{ ...good, address: ' 10.0.0.1' }, ['service.address']],
    [{ ...good, address: '10.0.0.1\n' }, ['service.address']],
    [{ ...good, address: null }, ['service.address']],
    [{ ...good, port: Number.NaN }, ['service.port']],
    [{ ...good, port: Number.POSITIVE_INFINITY }, ['service.port']],
    [{ ...good, port: -1 }, ['service.port']],
    [{ ...good, port: 65_536 }, ['service.port']],
    [{ ...good, port: 2 ** 53 + 2 }, ['service.port']],
    [{ ...good, port: 80n }, ['service.port']],
    [{ ...good, weight: '10' }, ['service.weight']],
    [{ ...good, weight: Number.MAX_VALUE }, ['service.weight']],
    [{ ...good, weight: null }, ['service.weight']],
    [{ ...good, metadata: null }, ['service.metadata']],
    [{ ...good, metadata: new Map([['a', 'b']]) }, ['service.metadata']],
    [
      { ...good, metadata: { a: '\udc00', 'b\ud800': '' } },
      ['service.metadata.a', 'service.metadata.b\ud800'],
    ],
    [
      { ...good, metadata: { a: null, b: {}, c: undefined } },
      ['a', 'b', 'c'].map((name) => `service.metadata.${name}`),
    ],
    [
      { ...good, metadata: Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, 'v'])) },
      ['service'],
    ],
    [{ ...good, tags: 'a' }, ['service.tags']],
    [{ ...good, tags: ['\ud800'] }, ['service.tags[0]']],
    [{ ...good, version: '' }, ['service.version']],
    [{ ...good, zone: '\ud800' }, ['service.zone']],
    [undefined, ['service']],
    [null, ['service']],
    ['user', ['service']],
    [{ name: 1, address: 2, port: -1 }, ['service.name', 'service.port', 'service.address']],
  ])('refuses %.80j', (registration, paths) => {
    expect(problems(registration)).toEqual(paths);
  });

  it('takes what is odd, but means one thing only', () => {
    const odd = {
      ...good,
      name: '%2e%2e',
      id: 'a b\n\u001b',
      weight: 0,
      port: 65_535,
      metadata: JSON.parse('{"__proto__":"x","":"","constructor":"\\u0000"}'),
    };
    const info = resolveRegistration(odd, []);
    expect(info).toMatchObject({ name: '%2e%2e', id: 'a b\n\u001b', weight: 0, port: 65_535 });
    expect(Object.entries(info.metadata)).toEqual(Object.entries(odd.metadata));
    expect(Object.getPrototypeOf(info.metadata)).toBe(Object.prototype);
  });

  it('reads each field once, and takes one that throws for bad input', () => {
    let reads = 0;
    const metadata = {
      get a() {
        reads += 1;
        return reads === 1 ? 'first' : 5;
      },
    };
    expect(resolveRegistration({ ...good, metadata: metadata as { a: string } }, []).metadata).toEqual({
      a: 'first',
    });
    const throwing = {
      ...good,
      get zone(): string {
        throw new Error('no zone today');
      },
    };
    expect(problems(throwing)).toEqual(['service']);
  });

  it('keeps what it was given, whatever becomes of the object', () => {
    const given = { ...good, metadata: { a: '1' }, tags: ['x'] };
    const info = resolveRegistration(given, []);
    given.metadata.a = '2';
    given.tags.push('y');
    expect(info).toMatchObject({ metadata: { a: '1' }, tags: ['x'] });
    expect([info, info.metadata, info.tags].every(Object.isFrozen)).toBe(true);
  });
});
