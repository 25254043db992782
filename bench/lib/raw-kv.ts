import { createRequire } from 'node:module';
import * as grpc from '@grpc/grpc-js';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';

/** The file in which etcd3 keeps etcd's messages. */
const PROTO = createRequire(import.meta.url).resolve('etcd3/proto/rpc.proto');

export interface RawKv extends Disposable {
  put(key: string, value: Buffer): Promise<unknown>;
  get(key: string): Promise<unknown>;
  /** One transaction of the shape of a hand-over: a compare, a delete, a put and a range of the keys under a prefix. */
  replace(from: string, to: string, prefix: string): Promise<unknown>;
}

/** The least that a client over grpc-js can be: its calls and proto-loader's codec, with nothing around them. */
export function rawKv(target: string): RawKv {
  const service = loadSync(PROTO, { keepCase: true, longs: String, defaults: true })['etcdserverpb.KV'];
  if (service === undefined || 'format' in service) throw new Error(`${PROTO} has no service KV`);
  const { Put, Range, Txn } = service;
  if (Put === undefined || Range === undefined || Txn === undefined) {
    throw new Error(`${PROTO} has no Put, Range or Txn`);
  }
  const client = new grpc.Client(target, grpc.credentials.createInsecure());
  const call = (method: MethodDefinition<object, object>, request: object): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = method;
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, response) =>
        error ? reject(error) : resolve(response),
      );
    });
  return {
    put: (key, value) => call(Put, { key: Buffer.from(key), value }),
    get: (key) => call(Range, { key: Buffer.from(key) }),
    replace: (from, to, prefix) => {
      const key = Buffer.from(to);
      const end = Buffer.from(prefix);
      end[end.length - 1] = (end.at(-1) ?? 0) + 1;
      const request = {
        compare: [{ result: 'EQUAL', target: 'CREATE', key, create_revision: 0 }],
        success: [
          { request_delete_range: { key: Buffer.from(from) } },
          { request_put: { key, value: Buffer.alloc(100, 'x') } },
          { request_range: { key: Buffer.from(prefix), range_end: end } },
        ],
      };
      return call(Txn, request);
    },
    [Symbol.dispose]: () => client.close(),
  };
}
