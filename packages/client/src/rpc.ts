import type * as grpc from '@grpc/grpc-js';
import type {
  IAuthenticateRequest,
  IAuthenticateResponse,
  ILeaseGrantRequest,
  ILeaseGrantResponse,
  ILeaseKeepAliveRequest,
  ILeaseKeepAliveResponse,
  ILeaseRevokeRequest,
  ILeaseRevokeResponse,
  IStatusRequest,
  IStatusResponse,
} from 'etcd3';
import type {
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  TxnRequestMessage,
  TxnResponse,
} from './kv-messages.js';
import type { WatchRequest, WatchResponse } from './watch-messages.js';

/** The unary calls that Coord makes: service, request and response of each. */
export interface UnaryRpcs extends KvRpcs {
  leaseGrant: { service: 'Lease'; request: ILeaseGrantRequest; response: ILeaseGrantResponse };
  leaseRevoke: { service: 'Lease'; request: ILeaseRevokeRequest; response: ILeaseRevokeResponse };
  status: { service: 'Maintenance'; request: IStatusRequest; response: IStatusResponse };
  authenticate: { service: 'Auth'; request: IAuthenticateRequest; response: IAuthenticateResponse };
}

/** The calls whose messages have a codec of ours, since there are many of them: etcd3's costs several times as much. */
export interface KvRpcs {
  range: { service: 'KV'; request: RangeRequest; response: RangeResponse };
  put: { service: 'KV'; request: PutRequest; response: PutResponse };
  deleteRange: { service: 'KV'; request: DeleteRangeRequest; response: DeleteRangeResponse };
  txn: { service: 'KV'; request: TxnRequestMessage; response: TxnResponse };
}

export const SERVICE_OF: { readonly [M in keyof UnaryRpcs]: UnaryRpcs[M]['service'] } = {
  range: 'KV',
  put: 'KV',
  deleteRange: 'KV',
  txn: 'KV',
  leaseGrant: 'Lease',
  leaseRevoke: 'Lease',
  status: 'Maintenance',
  authenticate: 'Auth',
};

/** The streaming calls that Coord makes. */
export interface StreamRpcs {
  watch: { service: 'Watch'; request: WatchRequest; response: WatchResponse };
  leaseKeepAlive: {
    service: 'Lease';
    request: ILeaseKeepAliveRequest;
    response: ILeaseKeepAliveResponse;
  };
}

export const STREAM_SERVICE_OF: { readonly [M in keyof StreamRpcs]: StreamRpcs[M]['service'] } = {
  watch: 'Watch',
  leaseKeepAlive: 'Lease',
};

/** What is used of grpc-js's streams. */
export interface RpcStream<M extends keyof StreamRpcs> {
  write(request: StreamRpcs[M]['request']): unknown;
  cancel(): void;
  on(event: 'data', listener: (response: StreamRpcs[M]['response']) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

export type UnaryCallback<M extends keyof UnaryRpcs> = (
  error: grpc.ServiceError | null,
  response?: UnaryRpcs[M]['response'],
) => void;

/** The calls that go through etcd3's codec, as methods of its clients. */
type UnaryMethods = {
  [M in Exclude<keyof UnaryRpcs, keyof KvRpcs>]: (
    request: UnaryRpcs[M]['request'],
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: UnaryCallback<M>,
  ) => grpc.ClientUnaryCall;
};

type StreamMethods = {
  leaseKeepAlive: (metadata: grpc.Metadata) => RpcStream<'leaseKeepAlive'>;
};

/** A service client as etcd3 makes it from the protos: the base class and a method for each call. */
export type ServiceClient = grpc.Client & UnaryMethods & StreamMethods;

/** etcd3 types its clients as the bare base class; this checks that the method really is there. */
export function hasMethod(
  client: grpc.Client,
  method: keyof (UnaryRpcs & StreamRpcs),
): client is ServiceClient {
  return method in client && typeof client[method as keyof grpc.Client] === 'function';
}
