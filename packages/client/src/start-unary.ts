import type * as grpc from '@grpc/grpc-js';
import {
  decodeDeleteRangeResponse,
  decodePutResponse,
  decodeRangeResponse,
  decodeTxnResponse,
} from './decode-response.js';
import { encodeDeleteRange, encodePut, encodeRange, encodeTxn } from './encode-request.js';
import type { KvRpcs, ServiceClient, UnaryCallback, UnaryRpcs } from './rpc.js';

type StartUnary<M extends keyof UnaryRpcs> = (
  client: ServiceClient,
  request: UnaryRpcs[M]['request'],
  metadata: grpc.Metadata,
  options: grpc.CallOptions,
  callback: UnaryCallback<M>,
) => grpc.ClientUnaryCall;

/** Starts each of the unary calls on a client of its service. */
export const START_UNARY: { readonly [M in keyof UnaryRpcs]: StartUnary<M> } = {
  range: withCodec('/etcdserverpb.KV/Range', encodeRange, decodeRangeResponse),
  put: withCodec('/etcdserverpb.KV/Put', encodePut, decodePutResponse),
  deleteRange: withCodec('/etcdserverpb.KV/DeleteRange', encodeDeleteRange, decodeDeleteRangeResponse),
  txn: withCodec('/etcdserverpb.KV/Txn', encodeTxn, decodeTxnResponse),
  leaseGrant: (client, ...call) => client.leaseGrant(...call),
  leaseRevoke: (client, ...call) => client.leaseRevoke(...call),
  status: (client, ...call) => client.status(...call),
  authenticate: (client, ...call) => client.authenticate(...call),
};

function withCodec<M extends keyof KvRpcs>(
  path: string,
  encode: (request: KvRpcs[M]['request']) => Buffer,
  decode: (message: Buffer) => KvRpcs[M]['response'],
): StartUnary<M> {
  return (client, request, metadata, options, callback) => {
    // grpc-js notes a stack trace for each call, in case it should fail. It would show nothing of the
    // caller, who is waiting asynchronously, and costs a tenth of the call. Nothing else runs meanwhile.
    const { stackTraceLimit } = Error;
    Reflect.set(Error, 'stackTraceLimit', 0); // no exception where the globals are frozen
    try {
      return client.makeUnaryRequest(path, encode, decode, request, metadata, options, callback);
    } finally {
      Reflect.set(Error, 'stackTraceLimit', stackTraceLimit);
    }
  };
}
