import type * as grpc from '@grpc/grpc-js';
import type { RpcStream, ServiceClient, StreamRpcs } from './rpc.js';
import { decodeWatchResponse, encodeWatchRequest } from './watch-codec.js';

/** Starts each of the streams on a client of its service. */
export const START_STREAM: {
  readonly [M in keyof StreamRpcs]: (client: ServiceClient, metadata: grpc.Metadata) => RpcStream<M>;
} = {
  watch: (client, metadata) =>
    client.makeBidiStreamRequest(
      '/etcdserverpb.Watch/Watch',
      encodeWatchRequest,
      decodeWatchResponse,
      metadata,
    ),
  leaseKeepAlive: (client, metadata) => client.leaseKeepAlive(metadata),
};
