import type {
  ICompare,
  IDeleteRangeResponse,
  IPutRequest,
  IPutResponse,
  IRangeRequest,
  IRangeResponse,
  IRequestOp,
  IResponseOp,
  ITxnRequest,
  ITxnResponse,
} from 'etcd3';
import { ValidationError } from './errors.js';
import { EtcdKeyValue, type KeyValue, type WireKeyValue } from './key-value.js';
import type {
  Compare,
  DeleteResult,
  Op,
  OpResult,
  PutFields,
  PutResult,
  RangeOptions,
  RangeResult,
  Sort,
  TxnRequest,
  TxnResult,
} from './kv.js';
import {
  inNamespace,
  type Key,
  type KeyRange,
  keyBytes,
  keyRange,
  type Range,
  textOrBytes,
} from './range.js';
import type { Session } from './session.js';
import { show } from './validation.js';

const OPERATORS = { '=': 'Equal', '!=': 'NotEqual', '<': 'Less', '>': 'Greater' } as const;
const TARGETS = {
  version: ['Version', 'version'],
  create: ['Create', 'create_revision'],
  mod: ['Mod', 'mod_revision'],
  lease: ['Lease', 'lease'],
} as const;
const SORT_TARGETS = {
  key: 'Key',
  version: 'Version',
  create: 'Create',
  mod: 'Mod',
  value: 'Value',
} as const;
const SORT_ORDERS = { ascend: 'Ascend', descend: 'Descend' } as const;

/**
 * Turns requests into etcd's wire form and answers back, under the client's namespace.
 *
 * 64-bit numbers travel as decimal strings: JavaScript numbers lose the low digits of lease ids.
 */
export class TxnCodec {
  readonly #namespace: Buffer;

  constructor(namespace: string) {
    this.#namespace = Buffer.from(namespace, 'utf8');
  }

  get namespaceLength(): number {
    return this.#namespace.length;
  }

  /** A caller's range as the server knows it. */
  range(range: Range, path?: string): KeyRange {
    return inNamespace(this.#namespace, keyRange(range, path));
  }

  key(key: Key, path?: string): Buffer {
    const bytes = keyBytes(key, path);
    return this.#namespace.length === 0 ? bytes : Buffer.concat([this.#namespace, bytes]);
  }

  rangeRequest(range: KeyRange, options: RangeOptions = {}): IRangeRequest {
    return {
      ...wireRange(range),
      ...(options.limit === undefined ? {} : { limit: count(options.limit, 'limit') }),
      ...int64Field('revision', options.revision, 'revision'),
      ...int64Field('min_mod_revision', options.minModRevision, 'minModRevision'),
      ...int64Field('max_mod_revision', options.maxModRevision, 'maxModRevision'),
      ...int64Field('min_create_revision', options.minCreateRevision, 'minCreateRevision'),
      ...int64Field('max_create_revision', options.maxCreateRevision, 'maxCreateRevision'),
      ...(options.serializable ? { serializable: true } : {}),
      ...(options.keysOnly ? { keys_only: true } : {}),
      ...(options.countOnly ? { count_only: true } : {}),
      ...(options.sort === undefined ? {} : sortFields(options.sort)),
    };
  }

  putRequest(key: Key, value: string | Uint8Array, fields: PutFields, path = 'put'): IPutRequest {
    if (fields.session !== undefined && fields.leaseId !== undefined) {
      throw new ValidationError([
        { path: `${path}.leaseId`, message: 'give either session or leaseId, not both' },
      ]);
    }
    if (fields.session !== undefined) assertSession(fields.session, `${path}.session`);
    fields.session?.assertAlive();
    const lease = fields.session?.leaseId ?? fields.leaseId;
    return {
      key: this.key(key, `${path}.key`),
      value: textOrBytes(value, `${path}.value`),
      ...int64Field('lease', lease, `${path}.leaseId`),
      ...(fields.previous ? { prev_kv: true } : {}),
      ...(fields.ignoreValue ? { ignore_value: true } : {}),
      ...(fields.ignoreLease ? { ignore_lease: true } : {}),
    };
  }

  txnRequest(request: TxnRequest, path = 'txn'): ITxnRequest {
    assertObject(request, path);
    const { compare, success, failure } = request;
    return {
      compare: list(compare, `${path}.compare`).map((each, i) =>
        this.#compare(each, `${path}.compare[${i}]`),
      ),
      success: list(success, `${path}.success`).map((each, i) => this.#op(each, `${path}.success[${i}]`)),
      failure: list(failure, `${path}.failure`).map((each, i) => this.#op(each, `${path}.failure[${i}]`)),
    };
  }

  #compare(compare: Compare, path: string): ICompare {
    assertObject(compare, path);
    const result = OPERATORS[oneOf(OPERATORS, compare.is, `${path}.is`)];
    const base = { ...wireRange(this.range(compare.key, `${path}.key`)), result };
    if (compare.target === 'value')
      return { ...base, target: 'Value', value: textOrBytes(compare.to, `${path}.to`) };
    const target = TARGETS[oneOf(TARGETS, compare.target, `${path}.target`)];
    return { ...base, target: target[0], [target[1]]: int64(compare.to, `${path}.to`) };
  }

  #op(op: Op, path: string): IRequestOp {
    assertObject(op, path);
    if ('get' in op)
      return { request_range: this.rangeRequest(this.range(op.get, `${path}.get`), op.options) };
    if ('put' in op) {
      assertObject(op.put, `${path}.put`);
      const { key, value, ...fields } = op.put;
      return { request_put: this.putRequest(key, value, fields, `${path}.put`) };
    }
    if ('delete' in op) {
      const range = wireRange(this.range(op.delete, `${path}.delete`));
      return { request_delete_range: { ...range, ...(op.previous ? { prev_kv: true } : {}) } };
    }
    if ('txn' in op) return { request_txn: this.txnRequest(op.txn, `${path}.txn`) };
    throw new ValidationError([{ path, message: 'must be one of get, put, delete, txn' }]);
  }

  keyValue(wire: WireKeyValue): KeyValue {
    return new EtcdKeyValue(wire, this.#namespace.length);
  }

  rangeResult(response: IRangeResponse, revision: bigint): RangeResult {
    return {
      kvs: response.kvs.map((kv) => this.keyValue(kv)),
      count: Number(response.count),
      more: response.more,
      revision,
    };
  }

  putResult(response: IPutResponse, revision: bigint): PutResult {
    // etcd3 types absent messages as present; a put without a predecessor has none.
    const previous: WireKeyValue | null = response.prev_kv;
    return { revision, ...(previous ? { previous: this.keyValue(previous) } : {}) };
  }

  deleteResult(response: IDeleteRangeResponse, revision: bigint): DeleteResult {
    return {
      deleted: Number(response.deleted),
      revision,
      ...(response.prev_kvs.length > 0 ? { previous: response.prev_kvs.map((kv) => this.keyValue(kv)) } : {}),
    };
  }

  /** The answers inside a transaction have no header of their own on all servers: the outer revision holds. */
  txnResult(response: ITxnResponse, revision: bigint): TxnResult {
    return {
      succeeded: response.succeeded,
      revision,
      responses: response.responses.map((each) => this.#opResult(each, revision)),
    };
  }

  #opResult(response: IResponseOp, revision: bigint): OpResult {
    if (response.response_range)
      return { type: 'get', ...this.rangeResult(response.response_range, revision) };
    if (response.response_put) return { type: 'put', ...this.putResult(response.response_put, revision) };
    if (response.response_delete_range) {
      return { type: 'delete', ...this.deleteResult(response.response_delete_range, revision) };
    }
    return { type: 'txn', ...this.txnResult(response.response_txn, revision) };
  }
}

/** A single key has no end: etcd 3.4 takes an empty one for "from this key on". */
export function wireRange(range: KeyRange): { key: Buffer; range_end?: Buffer } {
  return range.end === undefined ? { key: range.key } : { key: range.key, range_end: range.end };
}

function sortFields({ by, order }: Sort): Pick<IRangeRequest, 'sort_target' | 'sort_order'> {
  return {
    sort_target: SORT_TARGETS[oneOf(SORT_TARGETS, by, 'sort.by')],
    sort_order: SORT_ORDERS[oneOf(SORT_ORDERS, order, 'sort.order')],
  };
}

/** @throws {ValidationError} unless the table has this name */
function oneOf<Name extends string>(table: Readonly<Record<Name, unknown>>, name: Name, path: string): Name {
  if (Object.hasOwn(table, name)) return name;
  const names = Object.keys(table).join(' ');
  throw new ValidationError([{ path, message: `must be one of ${names}, got ${show(name)}` }]);
}

function list<T>(items: readonly T[] | undefined, path: string): readonly T[] {
  if (items === undefined || Array.isArray(items)) return items ?? [];
  throw new ValidationError([{ path, message: `must be an array, got ${show(items)}` }]);
}

function assertObject(value: unknown, path: string): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return;
  throw new ValidationError([{ path, message: `must be an object, got ${show(value)}` }]);
}

function assertSession(session: Partial<Session>, path: string): void {
  if (typeof session?.assertAlive === 'function') return;
  throw new ValidationError([{ path, message: `must be a session, got ${show(session)}` }]);
}

function int64Field<Name extends string>(
  name: Name,
  value: bigint | undefined,
  path: string,
): { [N in Name]?: string } {
  const field: { [N in Name]?: string } = {};
  if (value !== undefined) field[name] = int64(value, path);
  return field;
}

const MAX_INT64 = 2n ** 63n - 1n;

function int64(value: bigint | number, path: string): string {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new ValidationError([{ path, message: `must be a bigint or a safe integer, got ${show(value)}` }]);
  }
  if (typeof value !== 'bigint' && typeof value !== 'number') {
    throw new ValidationError([{ path, message: `must be a bigint, got ${show(value)}` }]);
  }
  if (value < 0 || value > MAX_INT64) {
    throw new ValidationError([{ path, message: `must be from 0 to 2^63-1, got ${value}` }]);
  }
  return value.toString();
}

function count(value: number, path: string): number {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new ValidationError([{ path, message: `must be a whole number from 0, got ${show(value)}` }]);
  }
  return value;
}
