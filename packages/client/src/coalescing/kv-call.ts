import type { CallOptions } from '../kv.js';
import type {
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  RequestOp,
  TxnRequestMessage,
  TxnResponse,
} from '../kv-messages.js';
import type { UnaryRpcs } from '../rpc.js';
import type { CallKind } from '../transport.js';
import {
  type Footprint,
  footprintOfDelete,
  footprintOfPut,
  footprintOfRange,
  footprintOfTxn,
} from './footprint.js';
import { permissionGuards, spaceGuard } from './nested-guards.js';
import { type Packing, packDelete, packFlatTxn, packNestedTxn, packPut, packRange } from './packing.js';
import { bytesOfPut, bytesOfRange, bytesOfTxn, opsOnPath } from './request-size.js';
import { eachOp, findOp, isFlat, isGuardedDelete } from './txn-traits.js';

export type KvMethod = 'range' | 'put' | 'deleteRange' | 'txn';

/** Shaped like `Transport.unary`: the request is asked for anew at each attempt. */
export type SendUnary = <M extends KvMethod>(
  method: M,
  request: () => UnaryRpcs[M]['request'],
  kind: CallKind,
  options: CallOptions,
) => Promise<UnaryRpcs[M]['response']>;

/**
 * Calls that may share a request. Reads that may be stale keep apart from those that may not, and writes
 * that may be repeated from those that may not: together, either would be treated as the stricter one.
 */
export type LaneName = 'read' | 'serializable' | 'write' | 'idempotent';

/** What may be in a batch, with the server in use. */
export interface BatchRules {
  /** A put that attaches a lease or answers with the previous value is checked as strictly in a Txn as it is alone. */
  readonly putInTxnSafe: boolean;
  /** The permissions of a nested Txn are checked, or there are none to check. */
  readonly nestedTxnSafe: boolean;
}

/** A call as a part of a batch. */
export interface Cargo<Response> extends Packing<Response> {
  readonly bytes: number;
  /** Operations below the batch's own, on the longest path. */
  readonly nestedOps: number;
  /** What stands for it in the branch of the batch that is not run. */
  readonly guards: readonly RequestOp[];
  /** The same, where one in a batch will do. */
  readonly guard: RequestOp | undefined;
  /** It needs space in the database. */
  readonly takesSpace: boolean;
}

/** A call of the key-value service, and how it travels. */
export interface KvCall<Response> {
  readonly method: KvMethod;
  readonly kind: CallKind;
  /** Settled when the call is made; until then more ranges may be added to it. */
  footprint: Footprint;
  /** Undefined: always by itself. */
  readonly lane: LaneName | undefined;
  /** It may be sent again after etcd has run out of space: if it was applied, that shows. */
  isGuardedDelete(): boolean;
  /** As the plain RPC. */
  sendAlone(send: SendUnary, options: CallOptions): Promise<Response>;
  /** Whether this answer to a repeated call tells that it has been applied. */
  confirms(response: Response): boolean;
  /** @returns undefined when it cannot be in a batch after all */
  load(rules: () => BatchRules): Cargo<Response> | undefined;
  leases(): readonly bigint[];
}

export function rangeCall(request: RangeRequest): KvCall<RangeResponse> {
  return {
    method: 'range',
    kind: 'read',
    footprint: footprintOfRange(request),
    lane: laneOfRange(request),
    isGuardedDelete: () => false,
    sendAlone: (send, options) => send('range', () => request, 'read', options),
    confirms: () => true,
    load: () => unguarded(packRange(request), bytesOfRange(request), false),
    leases: () => [],
  };
}

export function putCall(request: PutRequest, kind: CallKind, rules: () => BatchRules): KvCall<PutResponse> {
  const { lease } = request;
  const checkedLess = (lease || request.prev_kv) && !rules().putInTxnSafe;
  return {
    method: 'put',
    kind,
    footprint: footprintOfPut(request),
    lane: checkedLess ? undefined : laneOfWrite(kind),
    isGuardedDelete: () => false,
    sendAlone: (send, options) => send('put', () => request, kind, options),
    confirms: () => true,
    load: () => unguarded(packPut(request), bytesOfPut(request), true),
    leases: () => (lease ? [lease] : []),
  };
}

export function deleteCall(request: DeleteRangeRequest, kind: CallKind): KvCall<DeleteRangeResponse> {
  return {
    method: 'deleteRange',
    kind,
    footprint: footprintOfDelete(request),
    lane: laneOfWrite(kind),
    isGuardedDelete: () => false,
    sendAlone: (send, options) => send('deleteRange', () => request, kind, options),
    confirms: () => true,
    load: () => unguarded(packDelete(request), bytesOfRange(request), false),
    leases: () => [],
  };
}

export function txnCall(request: TxnRequestMessage, kind: CallKind): KvCall<TxnResponse> {
  return new TxnCall(request, kind);
}

/** A class, since there are many of them: a closure for each method costs more than all the rest. */
class TxnCall implements KvCall<TxnResponse> {
  readonly method = 'txn';
  readonly kind: CallKind;
  footprint: Footprint;
  readonly lane: LaneName | undefined;
  readonly #request: TxnRequestMessage;

  constructor(request: TxnRequestMessage, kind: CallKind) {
    this.kind = kind;
    this.footprint = footprintOfTxn(request);
    this.lane = laneOfTxn(request, kind);
    this.#request = request;
  }

  isGuardedDelete(): boolean {
    return this.kind !== 'read' && isGuardedDelete(this.#request);
  }

  sendAlone(send: SendUnary, options: CallOptions): Promise<TxnResponse> {
    return send('txn', () => this.#request, this.kind, options);
  }

  confirms({ succeeded }: TxnResponse): boolean {
    return succeeded || this.kind === 'idempotent';
  }

  load(rules: () => BatchRules): Cargo<TxnResponse> | undefined {
    return loadTxn(this.#request, rules);
  }

  leases(): readonly bigint[] {
    return leasesOf(this.#request);
  }
}

const NO_GUARDS: readonly RequestOp[] = [];

/** Written out: this is made for each call, and spreading one object into another is slow. */
function unguarded<Response>(
  { ops, unpack }: Packing<Response>,
  bytes: number,
  takesSpace: boolean,
): Cargo<Response> {
  return { ops, unpack, bytes, nestedOps: 0, guards: NO_GUARDS, guard: undefined, takesSpace };
}

function loadTxn(request: TxnRequestMessage, rules: () => BatchRules): Cargo<TxnResponse> | undefined {
  const takesSpace = findOp(request, (op) => op.request_put !== undefined) !== undefined;
  const bytes = bytesOfTxn(request);
  if (isFlat(request)) return unguarded(packFlatTxn(request), bytes, takesSpace);
  const { nestedTxnSafe } = rules();
  const guards = nestedTxnSafe ? NO_GUARDS : permissionGuards(request);
  if (guards === undefined) return undefined;
  const { ops, unpack } = packNestedTxn(request);
  const guard = nestedTxnSafe ? spaceGuard(request) : undefined;
  // The guards name the keys once more.
  return { ops, unpack, bytes: 2 * bytes, nestedOps: opsOnPath(request), guards, guard, takesSpace };
}

function laneOfRange({ revision, serializable }: RangeRequest): LaneName | undefined {
  // A revision that is compacted or not there yet is refused, and not worth it to others.
  if (revision) return undefined;
  return serializable ? 'serializable' : 'read';
}

function laneOfWrite(kind: CallKind): LaneName {
  return kind === 'idempotent' ? 'idempotent' : 'write';
}

function laneOfTxn(request: TxnRequestMessage, kind: CallKind): LaneName | undefined {
  if (findOp(request, (op) => Boolean(op.request_range?.revision)) !== undefined) return undefined;
  if (kind !== 'read') return laneOfWrite(kind);
  // Reads with a condition would have to be nested, and a nested Txn costs an entry in etcd's log.
  if (!isFlat(request)) return undefined;
  return request.success.every((op) => op.request_range?.serializable) ? 'serializable' : 'read';
}

function leasesOf(request: TxnRequestMessage): readonly bigint[] {
  const leases: bigint[] = [];
  eachOp(request, ({ request_put: put }) => {
    if (put?.lease) leases.push(put.lease);
  });
  return leases;
}
