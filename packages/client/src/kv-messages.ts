/**
 * The messages of etcd's KV service that Coord uses. Names and numbers are etcd's:
 * https://github.com/etcd-io/etcd/blob/v3.5.16/api/etcdserverpb/rpc.proto
 * 64-bit numbers are bigints where they may exceed what a number can hold.
 */
import type { WireKeyValue } from './key-value.js';

export const SortOrder = { None: 0, Ascend: 1, Descend: 2 } as const;
export const SortTarget = { Key: 0, Version: 1, Create: 2, Mod: 3, Value: 4 } as const;
export const CompareResult = { Equal: 0, Greater: 1, Less: 2, NotEqual: 3 } as const;
export const CompareTarget = { Version: 0, Create: 1, Mod: 2, Value: 3, Lease: 4 } as const;

type ValueOf<Table> = Table[keyof Table];

export interface RangeRequest {
  readonly key: Buffer;
  readonly range_end?: Buffer | undefined;
  readonly limit?: number | undefined;
  readonly revision?: bigint | undefined;
  readonly sort_order?: ValueOf<typeof SortOrder> | undefined;
  readonly sort_target?: ValueOf<typeof SortTarget> | undefined;
  readonly serializable?: boolean | undefined;
  readonly keys_only?: boolean | undefined;
  readonly count_only?: boolean | undefined;
  readonly min_mod_revision?: bigint | undefined;
  readonly max_mod_revision?: bigint | undefined;
  readonly min_create_revision?: bigint | undefined;
  readonly max_create_revision?: bigint | undefined;
}

export interface PutRequest {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly lease?: bigint | undefined;
  readonly prev_kv?: boolean | undefined;
  readonly ignore_value?: boolean | undefined;
  readonly ignore_lease?: boolean | undefined;
}

export interface DeleteRangeRequest {
  readonly key: Buffer;
  readonly range_end?: Buffer | undefined;
  readonly prev_kv?: boolean | undefined;
}

/** Exactly one of them. */
export interface RequestOp {
  readonly request_range?: RangeRequest;
  readonly request_put?: PutRequest;
  readonly request_delete_range?: DeleteRangeRequest;
  readonly request_txn?: TxnRequestMessage;
}

/** One of the operands `version` to `lease`: that of the target. */
export interface CompareMessage {
  readonly key: Buffer;
  readonly range_end?: Buffer | undefined;
  readonly result: ValueOf<typeof CompareResult>;
  readonly target: ValueOf<typeof CompareTarget>;
  readonly version?: bigint | undefined;
  readonly create_revision?: bigint | undefined;
  readonly mod_revision?: bigint | undefined;
  readonly value?: Buffer | undefined;
  readonly lease?: bigint | undefined;
}

export interface TxnRequestMessage {
  readonly compare: readonly CompareMessage[];
  readonly success: readonly RequestOp[];
  readonly failure: readonly RequestOp[];
}

export interface ResponseHeader {
  readonly cluster_id: bigint;
  /** The store's revision when the request was applied; 0n inside of a transaction: the outer one holds. */
  readonly revision: bigint;
}

export interface RangeResponse {
  readonly header: ResponseHeader;
  readonly kvs: readonly WireKeyValue[];
  readonly more: boolean;
  readonly count: number;
}

export interface PutResponse {
  readonly header: ResponseHeader;
  readonly prev_kv: WireKeyValue | undefined;
}

export interface DeleteRangeResponse {
  readonly header: ResponseHeader;
  readonly deleted: number;
  readonly prev_kvs: readonly WireKeyValue[];
}

/** Exactly one of them. */
export type ResponseOp =
  | { readonly response_range: RangeResponse }
  | { readonly response_put: PutResponse }
  | { readonly response_delete_range: DeleteRangeResponse }
  | { readonly response_txn: TxnResponse };

export interface TxnResponse {
  readonly header: ResponseHeader;
  readonly succeeded: boolean;
  readonly responses: readonly ResponseOp[];
}
