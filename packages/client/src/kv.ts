import type { KeyValue } from './key-value.js';
import type { Key, Range } from './range.js';
import type { Session } from './session.js';

/** Options of everything that waits. */
export interface WaitOptions {
  /** Ends the wait with an `AbortedError`. */
  readonly signal?: AbortSignal | undefined;
  /** How long to wait at most, in milliseconds. */
  readonly timeoutMs?: number | undefined;
}

/** Options of a single call to etcd; `timeoutMs` defaults to the client's `requestTimeoutMs`. */
export interface CallOptions extends WaitOptions {
  /**
   * Repeating this call is harmless, so it may be retried after a lost response: its transaction
   * is guarded by a nonce or a revision. Reads are always retried.
   * @default false
   */
  readonly idempotent?: boolean | undefined;
  /**
   * May travel in one request with other calls of this client that run at the same time: many calls then cost
   * little more than one. The answer is that of a call by itself, and the order of calls on one key stays.
   * @default true
   */
  readonly coalesce?: boolean | undefined;
}

/** Options of a call that writes. */
export interface WriteOptions extends CallOptions {
  /**
   * Ranges in which no other call of this client may write at the same revision. Calls on different keys may be
   * applied together, and then share one revision; whoever orders keys by revision, as a queue does, names
   * the queue here.
   */
  readonly exclusive?: readonly Range[] | undefined;
}

export interface GetOptions extends CallOptions {
  /** Read as of this revision; 0n = newest. @default 0n */
  readonly revision?: bigint | undefined;
  /** Answer from the connected member without asking the leader: faster, possibly stale. @default false */
  readonly serializable?: boolean | undefined;
  /** Leave the values out. @default false */
  readonly keysOnly?: boolean | undefined;
}

export interface RangeOptions extends GetOptions {
  /** At most this many keys; 0 = all. @default 0 */
  readonly limit?: number | undefined;
  /** Only the count. @default false */
  readonly countOnly?: boolean | undefined;
  readonly sort?: Sort | undefined;
  readonly minModRevision?: bigint | undefined;
  readonly maxModRevision?: bigint | undefined;
  readonly minCreateRevision?: bigint | undefined;
  readonly maxCreateRevision?: bigint | undefined;
}

/** In which order a range is answered; etcd sorts the whole range before `limit` cuts it. */
export interface Sort {
  readonly by: 'key' | 'version' | 'create' | 'mod' | 'value';
  readonly order: 'ascend' | 'descend';
}

export interface ListOptions extends CallOptions {
  /** Keys a page at most: pages of large values have fewer, and so has the first one. @default 1000 */
  readonly pageSize?: number | undefined;
  readonly keysOnly?: boolean | undefined;
  /** List as of this revision; 0n = newest at the first page. @default 0n */
  readonly revision?: bigint | undefined;
}

/** What a range holds. */
export interface RangeResult {
  readonly kvs: readonly KeyValue[];
  /** Keys in the whole range, also beyond `limit`. */
  readonly count: number;
  readonly more: boolean;
  /** The store's revision when this was read. */
  readonly revision: bigint;
}

/** What a put carries; the same in a call and in a transaction. */
export interface PutFields {
  /** Attach the key to this session's lease. */
  readonly session?: Session | undefined;
  /** Attach the key to this lease; 0n = none. */
  readonly leaseId?: bigint | undefined;
  /** Answer with what was there before. @default false */
  readonly previous?: boolean | undefined;
  /** Keep the present value (the key must exist); `value` must be empty. @default false */
  readonly ignoreValue?: boolean | undefined;
  /** Keep the present lease (the key must exist). @default false */
  readonly ignoreLease?: boolean | undefined;
}

export interface PutOptions extends WriteOptions, PutFields {}

/** What a put did. */
export interface PutResult {
  readonly revision: bigint;
  readonly previous?: KeyValue;
}

export interface DeleteOptions extends WriteOptions {
  /** Answer with what was deleted. @default false */
  readonly previous?: boolean | undefined;
}

/** What a delete did. */
export interface DeleteResult {
  readonly deleted: number;
  readonly revision: bigint;
  readonly previous?: readonly KeyValue[];
}

/** One operation of a transaction. */
export type Op =
  | { readonly get: Range; readonly options?: Omit<RangeOptions, keyof CallOptions> | undefined }
  | { readonly put: { readonly key: Key; readonly value: string | Uint8Array } & PutFields }
  | { readonly delete: Range; readonly previous?: boolean | undefined }
  | { readonly txn: TxnRequest };

/**
 * A condition of a transaction. A range holds when every key in it does. Where there is no key, etcd compares
 * one whose version, revisions and lease are 0; a value that is not there never holds.
 */
export type Compare =
  | {
      readonly key: Range;
      readonly target: 'version' | 'create' | 'mod' | 'lease';
      readonly is: CompareOperator;
      readonly to: bigint | number;
    }
  | {
      readonly key: Range;
      readonly target: 'value';
      readonly is: CompareOperator;
      readonly to: string | Uint8Array;
    };

/** How a compare relates what is there to `to`. */
export type CompareOperator = '=' | '!=' | '<' | '>';

/** A transaction: `success` runs if all of `compare` hold, else `failure`; either as a whole. */
export interface TxnRequest {
  readonly compare?: readonly Compare[] | undefined;
  readonly success?: readonly Op[] | undefined;
  readonly failure?: readonly Op[] | undefined;
}

/** Which branch of a transaction ran, and what it answered. */
export interface TxnResult {
  /** Whether the `success` branch ran. */
  readonly succeeded: boolean;
  readonly revision: bigint;
  /** One answer for each operation of the branch that ran, in order. */
  readonly responses: readonly OpResult[];
}

/** The answer to one operation of a transaction, told apart by `type`. */
export type OpResult =
  | ({ readonly type: 'get' } & RangeResult)
  | ({ readonly type: 'put' } & PutResult)
  | ({ readonly type: 'delete' } & DeleteResult)
  | ({ readonly type: 'txn' } & TxnResult);

/**
 * etcd's key-value store.
 *
 * Reads are linearizable unless `serializable`. Reads are retried on another endpoint when a
 * connection breaks; a write is retried only if it was never sent or is `idempotent`, otherwise
 * the error says `outcome: 'unknown'`.
 *
 * Calls of one client on one key take effect in the order in which they were made, awaited or not: a call
 * waits for the earlier ones on its keys if one of them writes. A call that failed with outcome `unknown` has
 * left this order: it may still take effect. Calls on different keys have no order.
 *
 * Calls that run at the same time may share a request (see `coalesce`). Writes in one request share a revision:
 * a watch then yields them in one batch.
 */
export interface KV {
  /** The key's value, or undefined. */
  get(key: Key, options?: GetOptions): Promise<KeyValue | undefined>;
  /** All keys of a range at one revision. */
  range(range: Range, options?: RangeOptions): Promise<RangeResult>;
  /** A range of any size, page by page, all at one revision. */
  list(range: Range, options?: ListOptions): AsyncIterable<KeyValue>;
  /** Writes a key. @throws {CoordError} with the outcome `unknown` when the answer was lost */
  put(key: Key, value: string | Uint8Array, options?: PutOptions): Promise<PutResult>;
  /**
   * Deletes a key or a whole range, in one revision. @throws {CoordError} with the outcome `unknown` when the
   * answer was lost
   */
  delete(range: Range, options?: DeleteOptions): Promise<DeleteResult>;
  /**
   * Compares, and writes or reads, in one step. @throws {CoordError} with the outcome `unknown` when the
   * answer was lost
   */
  txn(request: TxnRequest, options?: WriteOptions): Promise<TxnResult>;
}
