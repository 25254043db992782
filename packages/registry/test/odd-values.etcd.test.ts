import { inspect } from 'node:util';
import { type CoordClient, connect, createClient } from '@coord/client';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRegistry, type ServiceInfo, type ServiceRegistry } from '../src/index.js';

let etcd: EtcdServer;
let writer: CoordClient;
let client: CoordClient;
const warnings: string[] = [];

beforeAll(async () => {
  etcd = await startEtcd();
  const ignored = () => undefined;
  const warn = (...args: unknown[]) => warnings.push(inspect(args));
  const logger = { error: ignored, warn, info: ignored, debug: ignored };
  writer = await connect(etcd.connectOptions);
  client = createClient({ ...etcd.connectOptions, logger });
});

afterAll(async () => {
  await Promise.all([writer?.close(), client?.close()]);
  await etcd?.stop();
});

const ids = (services: readonly ServiceInfo[]) => services.map(({ id }) => id);
const SECRET = 'hunter2';
const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;

/** Values that are no instance, whoever wrote them. */
const BAD: Record<string, string | Uint8Array> = {
  empty: '',
  text: `hello ${SECRET}`,
  'cut off': `{"Addr":"a:1","password":"${SECRET}"`,
  null: 'null',
  number: '1e400',
  list: '[{"Addr":"a:1"}]',
  'no address': `{"id":"x","password":"${SECRET}"}`,
  'port out of range': '{"Addr":"a:99999"}',
  'port 0': '{"address":"a","port":0}',
  'port as text': '{"address":"a","port":"80"}',
  'half an IPv6 address': '{"Addr":"[::1"}',
  'a URL': '{"Addr":"http://a:1/x"}',
  'a line break': '{"Addr":"a:1\\nb:2"}',
  'an address that is no text': '{"Addr":["a:1"],"address":{"host":"a"}}',
  binary: Uint8Array.of(0xff, 0xfe, 0x00, 0x80),
  'bad UTF-8 in JSON': Buffer.concat([Buffer.from('{"Addr":"'), Uint8Array.of(0xff), Buffer.from(':1"}')]),
  'too large': `{"Addr":"a:1","pad":"${'x'.repeat(70_000)}"}`,
  deep: nested(30_000),
};

/** Values that are instances, though not of the tidy kind; with what is to be read. */
const ODD: Record<string, [value: string, expected: Partial<ServiceInfo>]> = {
  prototypes: ['{"Addr":"a:1","__proto__":{"weight":7},"constructor":1}', { weight: 1, address: 'a' }],
  'prototype in metadata': ['{"Addr":"a:1","metadata":{"__proto__":"x","a":"b"}}', {}],
  'the same name twice': ['{"Addr":"a:1","Addr":"b:2"}', { address: 'b', port: 2 }],
  'names in capitals': ['{"ADDRESS":"c","PORT":3}', { address: 'c', port: 3 }],
  'a weight beyond numbers': ['{"Addr":"a:1","weight":1e400}', { weight: 1 }],
  'a negative weight': ['{"Addr":"a:1","weight":-1}', { weight: 1 }],
  'an unknown state': ['{"Addr":"a:1","health":"dizzy"}', { health: 'unknown' }],
  'a state out of range': ['{"Addr":"a:1","health":17}', { health: 'unknown' }],
  'a date that is none': ['{"Addr":"a:1","registerTime":"soon"}', { registerTime: new Date(0) }],
  'tags of all kinds': ['{"Addr":"a:1","tags":["a",1,null,["b"]]}', { tags: ['a'] }],
  'deep metadata': [`{"Addr":"a:1","metadata":{"a":${nested(20_000)},"b":"c"}}`, { metadata: { b: 'c' } }],
  'another name and id': ['{"Addr":"a:1","name":"other","id":"x"}', { name: 'odd', address: 'a' }],
  'another version’s fields': ['{"Addr":"a:1","schema":9,"zone":{"region":"eu"},"version":2}', {}],
  'a mark of order': ['\ufeff{"Addr":"a:1"}', {}],
};

async function everyWay(registry: ServiceRegistry, service: string): Promise<readonly ServiceInfo[]> {
  const cached = await registry.discover(service, { health: 'any' });
  expect(await registry.discover(service, { health: 'any', consistency: 'linearizable' })).toEqual(cached);
  await using list = registry.watchInstances(service, { health: 'any' });
  expect((await list.next()).value).toEqual(cached);
  await using events = registry.watch(service);
  for (const instance of cached)
    expect((await events.next()).value).toEqual({ type: 'put', service: instance });
  return cached;
}

describe('values of others', () => {
  it('that are no instances leave the others alone, and are logged without what they hold', async () => {
    const registry = createRegistry(client);
    await writer.kv.put('/services/bad/first', JSON.stringify({ Addr: 'a:1' }));
    for (const [id, value] of Object.entries(BAD)) await writer.kv.put(`/services/bad/${id}`, value);
    await writer.kv.put('/services/bad/zlast', JSON.stringify({ Addr: 'z:1' }));
    expect(ids(await everyWay(registry, 'bad'))).toEqual(['first', 'zlast']);
    for (const id of Object.keys(BAD)) expect(warnings.join('\n')).toContain(`/services/bad/${id}`);
    expect(warnings.join('\n')).not.toContain(SECRET);
  });

  it('are read for what they are', async () => {
    const registry = createRegistry(client);
    for (const [id, [value]] of Object.entries(ODD)) await writer.kv.put(`/services/odd/${id}`, value);
    const found = new Map((await everyWay(registry, 'odd')).map((info) => [info.id, info]));
    const expected = Object.entries(ODD).filter(([id]) => id !== 'a mark of order');
    for (const [id, [, fields]] of expected) expect(found.get(id)).toMatchObject({ id, ...fields });
    expect(found.get('prototype in metadata')?.metadata).toHaveProperty('a', 'b');
    expect(Object.getPrototypeOf(found.get('prototype in metadata')?.metadata)).toBe(Object.prototype);
    expect(Reflect.get({}, 'weight')).toBeUndefined();
    for (const info of found.values()) {
      expect(Object.isFrozen(info) && Object.isFrozen(info.metadata)).toBe(true);
    }
  });

  it('that turn bad are gone, and back when they are mended', async () => {
    const registry = createRegistry(client);
    const key = '/services/turning/a';
    await writer.kv.put('/services/turning/b', JSON.stringify({ Addr: 'b:1' }));
    await writer.kv.put(key, JSON.stringify({ Addr: 'a:1' }));
    await using watch = registry.watch('turning');
    const seen = async () => {
      const { value } = await watch.next();
      return `${value?.type} ${value?.service.id}`;
    };
    expect([await seen(), await seen()]).toEqual(['put a', 'put b']);
    await writer.kv.put(key, 'garbage');
    expect(await seen()).toBe('delete a');
    await writer.kv.put(key, 'still garbage');
    await writer.kv.put(key, JSON.stringify({ Addr: 'a:2' }));
    expect(await seen()).toBe('put a');
    expect(await registry.discover('turning')).toMatchObject([{ id: 'a', port: 2 }, { id: 'b' }]);
  });
});

describe('keys of others', () => {
  it('beside and below the instances are no instances', async () => {
    const registry = createRegistry(client);
    await registry.register({ name: 'keys', id: 'a', address: 'a:1' });
    const value = JSON.stringify({ Addr: 'x:1' });
    const others = ['keys', 'keys/', 'keys/a/b', 'keys//a', 'keys-b/a', '/keys/a', ''];
    for (const key of others) await writer.kv.put(`/services/${key}`, value);
    // Bytes that are no text, and a text that they would be taken for.
    const bytes = (text: string) => Buffer.concat([Buffer.from(text), Uint8Array.of(0xff)]);
    await writer.kv.put(bytes('/services/keys/'), value);
    await writer.kv.put(Buffer.concat([bytes('/services/keys'), Buffer.from('/a')]), value);
    await writer.kv.put('/services/keys/\ufffd', value);
    expect(ids(await everyWay(registry, 'keys'))).toEqual(['a', '\ufffd']);
    const listed = await registry.listServices();
    expect(listed.filter((name) => name.includes('keys'))).toEqual(['keys', 'keys-b']);
    await registry.close();
  });
});

describe('a large service', () => {
  it('is read in pages: more than the 4 MiB that one answer may have', async () => {
    const registry = createRegistry(client);
    const pad = 'x'.repeat(60_000);
    const all = Array.from({ length: 90 }, (_, index) => `i${String(index).padStart(3, '0')}`);
    await Promise.all(
      all.map((id) =>
        writer.kv.put(`/services/large/${id}`, JSON.stringify({ Addr: `${id}:1`, metadata: { pad } })),
      ),
    );
    expect(ids(await registry.discover('large', { consistency: 'linearizable' }))).toEqual(all);
    expect(ids(await registry.discover('large'))).toEqual(all);
  });

  it('is one name among all that are listed', async () => {
    const names = Array.from({ length: 300 }, (_, index) => `many-${String(index).padStart(3, '0')}`);
    const value = JSON.stringify({ Addr: 'a:1' });
    await Promise.all(
      names.flatMap((name) => ['a', 'b', 'c'].map((id) => writer.kv.put(`/services/${name}/${id}`, value))),
    );
    const listed = await createRegistry(client).listServices();
    expect(listed.filter((name) => name.startsWith('many-'))).toEqual(names);
  });
});
