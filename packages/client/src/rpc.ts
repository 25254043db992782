import type * as grpc from '@grpc/grpc-js';
import type {
  IAuthenticateRequest,
  IAuthenticateResponse,
  IDeleteRangeRequest,
  IDeleteRangeResponse,
  IDuplexStream,
  ILeaseGrantRequest,
  ILeaseGrantResponse,
  ILeaseKeepAliveRequest,
  ILeaseKeepAliveResponse,
  ILeaseRevokeRequest,
  ILeaseRevokeResponse,
  IPutRequest,
  IPutResponse,
  IRangeRequest,
  IRangeResponse,
  IStatusRequest,
  IStatusResponse,
  ITxnRequest,
  ITxnResponse,
  IWatchRequest,
  IWatchResponse,
} from 'etcd3';

/** The unary calls that Coord makes: service, request and response of each. */
export interface UnaryRpcs {
  range: { service: 'KV'; request: IRangeRequest; response: IRangeResponse };
  put: { service: 'KV'; request: IPutRequest; response: IPutResponse };
  deleteRange: { service: 'KV'; request: IDeleteRangeRequest; response: IDeleteRangeResponse };
  txn: { service: 'KV'; request: ITxnRequest; response: ITxnResponse };
  leaseGrant: { service: 'Lease'; request: ILeaseGrantRequest; response: ILeaseGrantResponse };
  leaseRevoke: { service: 'Lease'; request: ILeaseRevokeRequest; response: ILeaseRevokeResponse };
  status: { service: 'Maintenance'; request: IStatusRequest; response: IStatusResponse };
  authenticate: { service: 'Auth'; request: IAuthenticateRequest; response: IAuthenticateResponse };
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
  watch: { service: 'Watch'; request: IWatchRequest; response: IWatchResponse };
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

export type RpcStream<M extends keyof StreamRpcs> = IDuplexStream<
  StreamRpcs[M]['request'],
  StreamRpcs[M]['response']
>;

type UnaryMethods = {
  [M in keyof UnaryRpcs]: (
    request: UnaryRpcs[M]['request'],
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: (error: grpc.ServiceError | null, response?: UnaryRpcs[M]['response']) => void,
  ) => grpc.ClientUnaryCall;
};

type StreamMethods = {
  [M in keyof StreamRpcs]: (metadata: grpc.Metadata) => RpcStream<M>;
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
