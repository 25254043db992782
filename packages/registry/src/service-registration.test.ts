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
    [undefined, ['service']],
    [{ name: 1, address: 2, port: -1 }, ['service.name', 'service.port', 'service.address']],
  ])('refuses %.80j', (registration, paths) => {
    expect(problems(registration)).toEqual(paths);
  });
});
