import type { KeyValue } from '@coord/client';
import { describe, expect, it } from 'vitest';
import { goKratosCodec } from './go-kratos-codec.js';
import { goZeroCodec } from './go-zero-codec.js';
import { checkCodec, type ServiceCodec } from './service-codec.js';
import { decodeForeign, MAX_VALUE_BYTES } from './service-value.js';

function decode(codec: ServiceCodec, value: unknown, instanceId = '1') {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const kv: KeyValue = {
    key: instanceId,
    rawKey: Buffer.from(instanceId),
    value: Buffer.from(text),
    text: () => text,
    json: () => JSON.parse(text),
    version: 1,
    createRevision: 5n,
    modRevision: 5n,
    leaseId: 0n,
  };
  return decodeForeign(kv, { serviceName: 'user', instanceId }, codec)?.info;
}

const kratos = (fields: object) => decode(goKratosCodec(), { id: '1', name: 'user', ...fields });

describe('goKratosCodec', () => {
  it('takes the gRPC endpoint, the version, the metadata and the weight', () => {
    expect(
      kratos({
        version: 'v1',
        metadata: { weight: '10', zone: 'b' },
        endpoints: ['http://10.0.0.1:80', 'grpc://10.0.0.1:9000?isSecure=false'],
      }),
    ).toMatchObject({
      name: 'user',
      id: '1',
      address: '10.0.0.1',
      port: 9000,
      health: 'healthy',
      version: 'v1',
      weight: 10,
      metadata: { weight: '10', zone: 'b' },
    });
  });

  it('takes another endpoint if told so, its default port included', () => {
    const value = { endpoints: ['grpc://10.0.0.1:9000', 'http://[::1]:80?isSecure=false'] };
    expect(decode(goKratosCodec({ scheme: 'http' }), value)).toMatchObject({ address: '::1', port: 80 });
  });

  it('passes over an instance without such an endpoint', () => {
    expect(kratos({ endpoints: [] })).toBeUndefined();
    expect(kratos({ endpoints: ['http://10.0.0.1:80', 7, null] })).toBeUndefined();
  });

  it.each([
    ['no endpoints', {}],
    ['endpoints that are none', { endpoints: 'grpc://10.0.0.1:9000' }],
    ['no port', { endpoints: ['grpc://10.0.0.1'] }],
    ['a port out of range', { endpoints: ['grpc://10.0.0.1:99999'] }],
    ['credentials', { endpoints: ['grpc://a:b@10.0.0.1:9000'] }],
  ])('throws for %s', (_, fields) => {
    expect(() => kratos(fields)).toThrow();
  });

  it.each(['x', '"text"', 'null', '7', ''])('throws for the value %j', (value) => {
    expect(() => decode(goKratosCodec(), value)).toThrow();
  });

  it.each(['-1', '1e400', '1.5', '', 'NaN', 10])('does not take %j for a weight', (weight) => {
    expect(kratos({ metadata: { weight }, endpoints: ['grpc://10.0.0.1:9000'] })?.weight).toBe(1);
  });

  it('refuses a scheme that is none', () => {
    for (const scheme of ['', 'grpc://', 'GRPC']) {
      expect(() => goKratosCodec({ scheme })).toThrow(expect.objectContaining({ name: 'ValidationError' }));
    }
  });
});

describe('goZeroCodec', () => {
  it('takes the address', () => {
    expect(decode(goZeroCodec(), '10.0.0.1:8080', '7587848943239472133')).toMatchObject({
      id: '7587848943239472133',
      address: '10.0.0.1',
      port: 8080,
      weight: 1,
      metadata: {},
    });
  });

  it.each(['', 'hello', '10.0.0.1', '10.0.0.1:0', 'http://10.0.0.1:80', '{}', 'a:1\n'])(
    'throws for %j',
    (value) => {
      expect(() => decode(goZeroCodec(), value)).toThrow();
    },
  );

  it('knows its instances by their numbers', () => {
    const { isInstance } = goZeroCodec();
    const known = (instanceId: string) => isInstance?.({ serviceName: 'user.rpc', instanceId });
    expect(known('7')).toBe(true);
    for (const id of ['a', '-7', '7a', '', '12345678901234567890']) expect(known(id)).toBe(false);
  });
});

describe('a codec of one’s own', () => {
  const codec: ServiceCodec = {
    name: 'own',
    keyPrefix: '/own',
    decode: (value, { instanceId }) => ({
      address: value,
      port: 80,
      zone: instanceId,
      health: 'maintenance',
    }),
  };

  it('says what it knows, and gets the defaults for the rest', () => {
    expect(decode(codec, 'a.example', 'z')).toMatchObject({
      name: 'user',
      id: 'z',
      address: 'a.example',
      port: 80,
      zone: 'z',
      health: 'maintenance',
      weight: 1,
    });
  });

  it('is not asked about huge values', () => {
    expect(() => decode(codec, 'x'.repeat(MAX_VALUE_BYTES + 1))).toThrow(RangeError);
  });

  it.each([
    [7, ['codec']],
    [{}, ['codec.name', 'codec.keyPrefix', 'codec.decode']],
    [{ ...codec, decode: 'x' }, ['codec.decode']],
    [{ ...codec, isInstance: 'x' }, ['codec.isInstance']],
  ])('is refused when it is %o', (given, paths) => {
    expect(checkCodec([], given).map(({ path }) => path)).toEqual(paths);
  });

  it('may be absent', () => expect(checkCodec([], undefined)).toEqual([]));
});
