import { createRequire } from 'node:module';
import * as grpc from '@grpc/grpc-js';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';

/** The file in which etcd3 keeps etcd's messages. */
const PROTO = createRequire(import.meta.url).resolve('etcd3/proto/rpc.proto');

export interface RawKv extends Disposable {
  put(key: string, value: Buffer): Promise<unknown>;
  get(key: string): Promise<unknown>;
}

/** The least that a client over grpc-js can be: its calls and proto-loader's codec, with nothing around them. */
export function rawKv(target: string): RawKv {
  const service = loadSync(PROTO, { keepCase: true, longs: String, defaults: true })['etcdserverpb.KV'];
  if (service === undefined || 'format' in service) throw new Error(`${PROTO} has no service KV`);
  const { Put, Range } = service;
  if (Put === undefined || Range === undefined) throw new Error(`${PROTO} has no Put or Range`);
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
    [Symbol.dispose]: () => client.close(),
  };
}
