/**
 * The messages of etcd's watch stream that Coord uses. Names and numbers are etcd's:
 * https://github.com/etcd-io/etcd/blob/v3.5.16/api/etcdserverpb/rpc.proto
 */
import type { WireKeyValue } from './key-value.js';
import type { ResponseHeader } from './kv-messages.js';

export const WatchFilter = { Noput: 0, Nodelete: 1 } as const;
export const EventType = { Put: 0, Delete: 1 } as const;

export interface WatchCreateRequest {
  readonly key: Buffer;
  readonly range_end?: Buffer | undefined;
  /** 0n = from now on. */
  readonly start_revision?: bigint | undefined;
  readonly progress_notify?: boolean | undefined;
  readonly filters?: readonly (typeof WatchFilter)[keyof typeof WatchFilter][] | undefined;
  readonly prev_kv?: boolean | undefined;
  readonly fragment?: boolean | undefined;
}

export type WatchRequest =
  | { readonly create_request: WatchCreateRequest }
  | { readonly cancel_request: { readonly watch_id: number } };

export interface WatchEventMessage {
  readonly type: (typeof EventType)[keyof typeof EventType];
  readonly kv: WireKeyValue;
  readonly prev_kv: WireKeyValue | undefined;
}

export interface WatchResponse {
  readonly header: ResponseHeader;
  /** The server counts them from 0 on each stream; −1 = no watch. */
  readonly watch_id: number;
  readonly created: boolean;
  readonly canceled: boolean;
  /** The oldest revision there is, for a watch that wanted an older one; 0n = otherwise. */
  readonly compact_revision: bigint;
  readonly cancel_reason: string;
  readonly fragment: boolean;
  readonly events: readonly WatchEventMessage[];
}
