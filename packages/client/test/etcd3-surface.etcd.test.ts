import { type EtcdServer, startEtcd } from '@coord/testkit';
import { noop } from 'cockatiel';
import { Etcd3, type Services } from 'etcd3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodePutResponse } from '../src/decode-response.js';
import { encodePut } from '../src/encode-request.js';
import { CoordError, connect } from '../src/index.js';
import type { PutResponse } from '../src/kv-messages.js';
import { SERVICE_OF, STREAM_SERVICE_OF } from '../src/rpc.js';
import { decodeWatchResponse, encodeWatchRequest } from '../src/watch-codec.js';
import { EventType, type WatchResponse } from '../src/watch-messages.js';

let etcd: EtcdServer;
let raw: Raw;

/** What `Endpoint` does: a subclass, for the sake of the protected pool. */
class Raw extends Etcd3 {
  connection(service: keyof typeof Services) {
    return this.pool.withConnection(service, ({ client, metadata }) => ({ client, metadata }));
  }
}

beforeAll(async () => {
  etcd = await startEtcd();
  raw = new Raw({ hosts: etcd.endpoint, faultHandling: { host: () => noop, global: noop } });
});
afterAll(async () => {
  raw?.close();
  await etcd?.stop();
});

/** The surface of etcd3 that Coord rests on: a change of it must fail here, not in production. */
describe('etcd3', () => {
  it.each(Object.entries({ ...SERVICE_OF, ...STREAM_SERVICE_OF }))(
    'has the method %s of %s',
    async (method, service) => {
      const { client, metadata } = await raw.connection(service);
      expect(client).toHaveProperty(method);
      expect(Object.getPrototypeOf(client)[method]).toBeTypeOf('function');
      expect(metadata.clone().getMap()).toEqual({});
    },
  );

  it('carries messages of our own codec on its clients, and leaves the metadata alone', async () => {
    const { client, metadata } = await raw.connection('KV');
    const shared = metadata.clone();
    shared.set('hasleader', 'true');
    const request = { key: Buffer.from('/surface/codec'), value: Buffer.from('x') };
    const put = () =>
      new Promise<PutResponse | undefined>((resolve, reject) =>
        client.makeUnaryRequest(
          '/etcdserverpb.KV/Put',
          encodePut,
          decodePutResponse,
          request,
          shared,
          {},
          (error, response) => (error ? reject(error) : resolve(response)),
        ),
      );
    await Promise.all([put(), put()]);
    const last = await put();
    expect(shared.toJSON()).toEqual({ hasleader: ['true'] });
    const { kvs, header } = await raw.kv.range({ key: request.key });
    expect(kvs).toMatchObject([{ value: request.value, version: '3' }]);
    expect(last?.header).toEqual({
      cluster_id: BigInt(header.cluster_id),
      revision: BigInt(header.revision),
    });
  });

  it('ends a call and a stream whose answer cannot be decoded', async () => {
    const garbled = () => decodePutResponse(Buffer.of(10, 200));
    const { client, metadata } = await raw.connection('KV');
    const request = { key: Buffer.from('/surface/garbled'), value: Buffer.from('x') };
    const called = await new Promise((resolve) =>
      client.makeUnaryRequest('/etcdserverpb.KV/Put', encodePut, garbled, request, metadata, {}, resolve),
    );
    const watch = await raw.connection('Watch');
    const stream = watch.client.makeBidiStreamRequest(
      '/etcdserverpb.Watch/Watch',
      encodeWatchRequest,
      garbled,
      watch.metadata,
    );
    const streamed = new Promise((resolve) => stream.on('error', resolve).on('data', () => undefined));
    stream.write({ create_request: { key: request.key } });
    for (const error of [called, await streamed]) {
      expect(error).toMatchObject({ code: 13, details: expect.stringContaining('no PutResponse: ') });
    }
  });

  it('fails with the stack trace of the error that tells of it, and leaves the limit of stack traces alone', async () => {
    const { stackTraceLimit } = Error;
    const client = await connect(etcd.connectOptions);
    const failed = client.kv.get('/surface/a', { revision: 2n ** 40n });
    expect(Error.stackTraceLimit).toBe(stackTraceLimit);
    const error: unknown = await failed.catch((reason) => reason);
    expect(error).toBeInstanceOf(CoordError);
    expect(error instanceof Error && error.stack).toContain('rpc-errors');
    expect(Error.stackTraceLimit).toBe(stackTraceLimit);
    await client.close();
  });

  it('gives 64-bit numbers as decimal strings, enums as names, bytes as Buffers, absent messages as null', async () => {
    const { revision } = await (await raw.put('/surface/a').value('x').exec()).header;
    expect(revision).toMatch(/^\d+$/);
    const { kvs, count, more } = await raw.kv.range({ key: Buffer.from('/surface/a') });
    expect([count, more]).toEqual(['1', false]);
    expect(kvs[0]).toEqual({
      key: Buffer.from('/surface/a'),
      value: Buffer.from('x'),
      create_revision: revision,
      mod_revision: revision,
      version: '1',
      lease: '0',
    });
    expect((await raw.kv.put({ key: Buffer.from('/surface/b') })).prev_kv).toBeNull();
    expect((await raw.maintenance.status()).leader).toMatch(/^\d+$/);
  });

  it('carries a stream of our own codec', async () => {
    const { client, metadata } = await raw.connection('Watch');
    const stream = client.makeBidiStreamRequest(
      '/etcdserverpb.Watch/Watch',
      encodeWatchRequest,
      decodeWatchResponse,
      metadata,
    );
    const responses: WatchResponse[] = [];
    const done = new Promise<void>((resolve) => {
      stream.on('error', () => undefined);
      stream.on('data', (response: WatchResponse) => {
        if (responses.push(response) === 2) resolve();
      });
    });
    const key = Buffer.from('/surface/w');
    const start_revision = BigInt((await raw.put(key).value('1').exec()).header.revision);
    await raw.delete().key(key).exec();
    stream.write({ create_request: { key, start_revision, prev_kv: true, fragment: true } });
    await done;
    stream.cancel();
    const value = Buffer.from('1');
    expect(responses).toMatchObject([
      { created: true, canceled: false, watch_id: 0, compact_revision: 0n, fragment: false, events: [] },
      {
        created: false,
        header: { revision: start_revision + 1n },
        events: [
          { type: EventType.Put, kv: { key, value, mod_revision: start_revision }, prev_kv: undefined },
          { type: EventType.Delete, kv: { key, mod_revision: start_revision + 1n }, prev_kv: { key, value } },
        ],
      },
    ]);
  });

  it('answers a keepalive of an unknown lease with TTL 0', async () => {
    const client = await connect(etcd.connectOptions);
    const session = await client.session({ ttlMs: 30_000 });
    await client.etcd3.leaseClient.leaseRevoke({ ID: session.leaseId.toString() });
    await expect(session.keepAlive()).rejects.toThrow(/expired or revoked/);
    await client.close();
  });
});
