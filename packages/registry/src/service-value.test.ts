import type { KeyValue } from '@coord/client';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isHost, isPort } from './address.js';
import { HEALTH_STATUSES, type ServiceInfo } from './service-info.js';
import { decodeInstance, encodeInstance, MAX_VALUE_BYTES, patchValue } from './service-value.js';

function stored(value: string): KeyValue {
  return {
    key: '/services/user/1',
    rawKey: Buffer.from('/services/user/1'),
    value: Buffer.from(value),
    text: () => value,
    json: () => JSON.parse(value),
    version: 1,
    createRevision: 5n,
    modRevision: 5n,
    leaseId: 0n,
  };
}

const decode = (value: unknown) =>
  decodeInstance(stored(typeof value === 'string' ? value : JSON.stringify(value)), 'user', '1');

const info: ServiceInfo = {
  name: 'user',
  id: '1',
  address: '::1',
  port: 8080,
  metadata: { region: 'eu' },
  health: 'maintenance',
  weight: 0,
  zone: 'a',
  version: '1.2',
  tags: ['x'],
  registerTime: new Date(1_000),
  lastHeartbeat: new Date(2_000),
};

describe('encodeInstance', () => {
  const json = encodeInstance(info, { nonce: 'n', generation: 3 });

  it('round-trips', () => {
    expect(decode(json)).toEqual({ info, leaving: false, author: { nonce: 'n', generation: 3 } });
  });

  it("is readable by Go's resolver and the Go original", () => {
    expect(JSON.parse(json)).toMatchObject({ Op: 0, Addr: '[::1]:8080', address: '::1', port: 8080 });
  });

  it('has no two names that Go would take for one', () => {
    const names = Object.keys(JSON.parse(json)).map((name) => name.toLowerCase());
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('decodeInstance', () => {
  it("reads what Go's official client writes", () => {
    const { info } = decode({ Op: 0, Addr: '1.2.3.4:80', Metadata: { a: 'b', n: 1, o: {} } });
    expect(info).toMatchObject({ name: 'user', id: '1', address: '1.2.3.4', port: 80, health: 'healthy' });
    expect(info.metadata).toEqual({ a: 'b', n: '1' });
    expect(info.registerTime.getTime()).toBe(0);
  });

  it.each([
    [{ ID: 'x', Name: 'y', Address: '10.0.0.1', Port: 80, Metadata: null }, '10.0.0.1', 80],
    [{ id: 'x', name: 'y', address: '10.0.0.1:81' }, '10.0.0.1', 81],
    [{ address: '', Addr: 'host:82' }, 'host', 82],
  ])('reads %j', (value, address, port) => {
    expect(decode(value).info).toMatchObject({ name: 'user', id: '1', address, port, metadata: {} });
  });

  it.each([
    'not json',
    '[]',
    'null',
    '"text"',
    '{}',
    '{"address":"a"}',
    '{"address":"a","port":70000}',
    '{"address":{"x":1},"port":1}',
    '{"Addr":"no-port"}',
    `{"Addr":"a:1","pad":"${'x'.repeat(MAX_VALUE_BYTES)}"}`,
  ])('refuses %.40s without quoting it', (value) => {
    expect(() => decode(value)).toThrow(/^value /);
  });

  it('takes what is only decoration for absent when it is malformed', () => {
    const { info, leaving } = decode({
      Addr: 'a:1',
      health: 7,
      weight: -1,
      zone: 3,
      tags: 'x',
      registerTime: 'yesterday',
      leaving: 'yes',
    });
    expect(info).toMatchObject({ health: 'unknown', weight: 1, metadata: {} });
    expect(info.registerTime.getTime()).toBe(0);
    expect(info).not.toHaveProperty('zone');
    expect(info).not.toHaveProperty('tags');
    expect(leaving).toBe(false);
  });

  it('cannot be used to pollute prototypes', () => {
    const { info } = decode(
      '{"Addr":"a:1","__proto__":{"port":9,"polluted":1},"metadata":{"__proto__":"x","constructor":"y"}}',
    );
    expect(Object.getPrototypeOf(info.metadata)).toBe(Object.prototype);
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
    expect(info.port).toBe(1);
    expect(Object.keys(info.metadata)).toEqual(['__proto__', 'constructor']);
  });
});

describe('patchValue', () => {
  it('keeps what only the writer knows, and one name per field, however it was spelt', () => {
    const patched = JSON.parse(
      patchValue(stored('{"Addr":"a:1","Health":"x","Own":{"deep":[1]}}'), { health: 'healthy' }),
    );
    expect(patched).toEqual({ Addr: 'a:1', Own: { deep: [1] }, health: 'healthy' });
  });
});

describe('any value at all', () => {
  const names = [
    'Addr',
    'address',
    'port',
    'metadata',
    'health',
    'weight',
    'zone',
    'version',
    'tags',
    'registerTime',
  ];
  const field = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom('a:1', 'a', 80, -1, '[::1]:9', {}, [], '2026-01-01', 1e300),
  );
  const object = fc.dictionary(fc.oneof(fc.constantFrom(...names, '__proto__'), fc.string()), field);

  it('is an instance with nothing wrong in it, or an error', () => {
    const decoded = (value: string): ServiceInfo | undefined => {
      try {
        return decode(value).info;
      } catch (error) {
        expect(error instanceof SyntaxError || error instanceof RangeError).toBe(true);
        return undefined;
      }
    };
    let instances = 0;
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          object.map((o) => JSON.stringify(o)),
        ),
        (value) => {
          const read = decoded(value);
          if (read === undefined) return;
          instances++;
          expect(read).toMatchObject({ name: 'user', id: '1' });
          expect(isHost(read.address) && isPort(read.port)).toBe(true);
          expect(HEALTH_STATUSES).toContain(read.health);
          expect(Number.isFinite(read.weight) && read.weight >= 0).toBe(true);
          expect(Object.values(read.metadata).every((text) => typeof text === 'string')).toBe(true);
          expect(read.tags?.every((tag) => typeof tag === 'string')).not.toBe(false);
          expect(Number.isNaN(read.registerTime.getTime())).toBe(false);
        },
      ),
      { numRuns: 2_000, seed: 5 },
    );
    expect(instances).toBeGreaterThan(20);
  });
});
