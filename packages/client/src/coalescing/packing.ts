import { CoordError } from '../errors.js';
import type {
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  RequestOp,
  ResponseHeader,
  ResponseOp,
  TxnRequestMessage,
  TxnResponse,
} from '../kv-messages.js';

/** How a request travels within the Txn of a batch: as operations of it, from whose answers its own is made. */
export interface Packing<Response> {
  readonly ops: readonly RequestOp[];
  unpack(answers: readonly ResponseOp[], header: ResponseHeader): Response;
}

export function packRange(request: RangeRequest): Packing<RangeResponse> {
  return {
    ops: [{ request_range: request }],
    unpack([answer], header) {
      if (answer === undefined || !('response_range' in answer)) throw unexpected('range');
      const { kvs, more, count } = answer.response_range;
      return { header, kvs, more, count };
    },
  };
}

export function packPut(request: PutRequest): Packing<PutResponse> {
  return {
    ops: [{ request_put: request }],
    unpack([answer], header) {
      if (answer === undefined || !('response_put' in answer)) throw unexpected('put');
      return { header, prev_kv: answer.response_put.prev_kv };
    },
  };
}

export function packDelete(request: DeleteRangeRequest): Packing<DeleteRangeResponse> {
  return {
    ops: [{ request_delete_range: request }],
    unpack([answer], header) {
      if (answer === undefined || !('response_delete_range' in answer)) throw unexpected('deleteRange');
      return { ...answer.response_delete_range, header };
    },
  };
}

/** A transaction without conditions: its operations as they are. */
export function packFlatTxn({ success }: TxnRequestMessage): Packing<TxnResponse> {
  return { ops: success, unpack: unpackFlatTxn };
}

function unpackFlatTxn(responses: readonly ResponseOp[], header: ResponseHeader): TxnResponse {
  return { header, succeeded: true, responses };
}

/** Any other: a Txn within the Txn. */
export function packNestedTxn(request: TxnRequestMessage): Packing<TxnResponse> {
  return { ops: [{ request_txn: request }], unpack: unpackNestedTxn };
}

function unpackNestedTxn([answer]: readonly ResponseOp[], header: ResponseHeader): TxnResponse {
  if (answer === undefined || !('response_txn' in answer)) throw unexpected('txn');
  const { succeeded, responses } = answer.response_txn;
  return { header, succeeded, responses };
}

function unexpected(method: string): CoordError {
  return new CoordError('COORD_INTERNAL', `${method}: the answer to the batch does not fit`, {
    outcome: 'unknown',
  });
}
