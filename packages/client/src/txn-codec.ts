import { ValidationError } from './errors.js';
import { EtcdKeyValue, type KeyValue, type WireKeyValue } from './key-value.js';
import type {
  CallOptions,
  Compare,
  DeleteResult,
  Op,
  OpResult,
  PutFields,
  PutResult,
  RangeOptions,
  RangeResult,
  TxnRequest,
  TxnResult,
} from './kv.js';
import {
  type CompareMessage,
  CompareResult,
  CompareTarget,
  type DeleteRangeRequest,
  type DeleteRangeResponse,
  type PutRequest,
  type PutResponse,
  type RangeRequest,
  type RangeResponse,
  type RequestOp,
  type ResponseOp,
  SortOrder,
  SortTarget,
  type TxnRequestMessage,
  type TxnResponse,
} from './kv-messages.js';
import { checkNames, type NamesOf, type OptionNames } from './option-names.js';
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
import { assertValid, checkFlag, type IssueList, MAX_INT64, show } from './validation.js';

const OPERATORS = {
  '=': CompareResult.Equal,
  '!=': CompareResult.NotEqual,
  '<': CompareResult.Less,
  '>': CompareResult.Greater,
} as const;
const TARGETS = {
  version: CompareTarget.Version,
  create: CompareTarget.Create,
  mod: CompareTarget.Mod,
  lease: CompareTarget.Lease,
} as const;
const SORT_TARGETS = {
  key: SortTarget.Key,
  version: SortTarget.Version,
  create: SortTarget.Create,
  mod: SortTarget.Mod,
  value: SortTarget.Value,
} as const;
/** The answers to more than about 45 cannot be read. */
const MAX_NESTED_TXNS = 32;
const OPS = ['get', 'put', 'delete', 'txn'] as const;
const SORT_ORDERS = { ascend: SortOrder.Ascend, descend: SortOrder.Descend } as const;

const NO_BYTES = Buffer.alloc(0);

/** What may be asked of a range, in a call and in a transaction. */
export const READ_NAMES = {
  limit: true,
  countOnly: true,
  sort: { by: true, order: true },
  minModRevision: true,
  maxModRevision: true,
  minCreateRevision: true,
  maxCreateRevision: true,
  revision: true,
  serializable: true,
  keysOnly: true,
} satisfies NamesOf<Omit<RangeOptions, keyof CallOptions>>;
export const PUT_FIELD_NAMES = {
  session: true,
  leaseId: true,
  previous: true,
  ignoreValue: true,
  ignoreLease: true,
} satisfies NamesOf<PutFields>;
const PUT_OP_NAMES: OptionNames = { key: true, value: true, ...PUT_FIELD_NAMES };
const OP_NAMES = {
  get: { get: true, options: true },
  put: { put: true },
  delete: { delete: true, previous: true },
  txn: { txn: true },
} satisfies Readonly<Record<(typeof OPS)[number], OptionNames>>;
const TXN_NAMES = { compare: true, success: true, failure: true } satisfies NamesOf<TxnRequest>;
const COMPARE_NAMES = { key: true, target: true, is: true, to: true } satisfies NamesOf<Compare>;

/** Turns requests into etcd's messages and answers back, under the client's namespace. */
export class TxnCodec {
  readonly #namespace: Buffer;
  #lastKey: string | undefined;
  #lastBytes: Buffer = NO_BYTES;

  constructor(namespace: string) {
    this.#namespace = Buffer.from(namespace, 'utf8');
  }

  get namespaceLength(): number {
    return this.#namespace.length;
  }

  /** A caller's range as the server knows it. */
  range(range: Range, path = 'range'): KeyRange {
    if (typeof range === 'string') return { key: this.key(range, path) };
    return inNamespace(this.#namespace, keyRange(range, path));
  }

  key(key: Key, path?: string): Buffer {
    // A transaction names a key several times, and then it needs one buffer: nobody writes into them.
    if (typeof key === 'string' && key === this.#lastKey) return this.#lastBytes;
    const bytes = this.#inNamespace(keyBytes(key, path));
    if (typeof key === 'string') {
      this.#lastKey = key;
      this.#lastBytes = bytes;
    }
    return bytes;
  }

  #inNamespace(bytes: Buffer): Buffer {
    return this.#namespace.length === 0 ? bytes : Buffer.concat([this.#namespace, bytes]);
  }

  /** The key of an answer as the server knows it. */
  serverKey({ rawKey }: KeyValue): Buffer {
    return Buffer.concat([this.#namespace, rawKey]);
  }

  rangeRequest(range: KeyRange, options: RangeOptions = {}, limit = options.limit): RangeRequest {
    assertObject(options, 'options');
    const { sort } = options;
    if (sort !== undefined) assertObject(sort, 'sort');
    return {
      key: range.key,
      range_end: range.end,
      limit: count(limit, 'limit'),
      revision: int64(options.revision, 'revision'),
      sort_order: sort && SORT_ORDERS[oneOf(SORT_ORDERS, sort.order, 'sort.order')],
      sort_target: sort && SORT_TARGETS[oneOf(SORT_TARGETS, sort.by, 'sort.by')],
      serializable: flag(options.serializable, 'serializable'),
      keys_only: flag(options.keysOnly, 'keysOnly'),
      count_only: flag(options.countOnly, 'countOnly'),
      min_mod_revision: int64(options.minModRevision, 'minModRevision'),
      max_mod_revision: int64(options.maxModRevision, 'maxModRevision'),
      min_create_revision: int64(options.minCreateRevision, 'minCreateRevision'),
      max_create_revision: int64(options.maxCreateRevision, 'maxCreateRevision'),
    };
  }

  putRequest(key: Key, value: string | Uint8Array, fields: PutFields): PutRequest {
    try {
      return this.#putRequest(key, value, fields);
    } catch (error) {
      throw within('put', error);
    }
  }

  #putRequest(key: Key, value: string | Uint8Array, fields: PutFields): PutRequest {
    if (fields.session !== undefined && fields.leaseId !== undefined) {
      throw new ValidationError([{ path: 'leaseId', message: 'give either session or leaseId, not both' }]);
    }
    if (fields.session !== undefined) assertSession(fields.session, 'session');
    fields.session?.assertAlive();
    const lease = fields.session?.leaseId ?? fields.leaseId;
    return {
      key: this.key(key),
      value: textOrBytes(value, 'value'),
      lease: int64(lease, 'leaseId'),
      prev_kv: flag(fields.previous, 'previous'),
      ignore_value: flag(fields.ignoreValue, 'ignoreValue'),
      ignore_lease: flag(fields.ignoreLease, 'ignoreLease'),
    };
  }

  /** @param sessions takes up those that the puts are bound to */
  txnRequest(request: TxnRequest, sessions: Session[], depth = 0): TxnRequestMessage {
    try {
      assertObject(request, '');
      if (depth > MAX_NESTED_TXNS) {
        throw new ValidationError([{ path: '', message: `is nested more than ${MAX_NESTED_TXNS} times` }]);
      }
      assertNames(request, TXN_NAMES);
      const { compare, success, failure } = request;
      return {
        compare: encodeEach(compare, 'compare', (each) => this.#compare(each)),
        success: encodeEach(success, 'success', (each) => this.#op(each, sessions, depth)),
        failure: encodeEach(failure, 'failure', (each) => this.#op(each, sessions, depth)),
      };
    } catch (error) {
      throw within('txn', error);
    }
  }

  #compare(compare: Compare): CompareMessage {
    assertObject(compare, '');
    assertNames(compare, COMPARE_NAMES);
    const { key, end } = this.range(compare.key, 'key');
    const result = OPERATORS[oneOf(OPERATORS, compare.is, 'is')];
    if (compare.target === 'value') {
      const value = textOrBytes(compare.to, 'to');
      return { key, range_end: end, result, target: CompareTarget.Value, value };
    }
    const target = TARGETS[oneOf(TARGETS, compare.target, 'target')];
    const to = requiredInt64(compare.to, 'to');
    // Written out: this is made for each call, and spreading one object into another is slow.
    switch (target) {
      case CompareTarget.Version:
        return { key, range_end: end, result, target, version: to };
      case CompareTarget.Create:
        return { key, range_end: end, result, target, create_revision: to };
      case CompareTarget.Mod:
        return { key, range_end: end, result, target, mod_revision: to };
      case CompareTarget.Lease:
        return { key, range_end: end, result, target, lease: to };
    }
  }

  #op(op: Op, sessions: Session[], depth: number): RequestOp {
    assertObject(op, '');
    if (OPS.reduce((n, name) => (name in op ? n + 1 : n), 0) !== 1) {
      throw new ValidationError([{ path: '', message: `must be one of ${OPS.join(', ')}` }]);
    }
    if ('get' in op) {
      assertNames(op, OP_NAMES.get);
      const { options } = op;
      if (options !== undefined) {
        assertObject(options, 'options');
        assertNames(options, READ_NAMES, 'options.');
      }
      return { request_range: this.rangeRequest(this.range(op.get, 'get'), options) };
    }
    if ('put' in op) {
      assertNames(op, OP_NAMES.put);
      assertObject(op.put, 'put');
      assertNames(op.put, PUT_OP_NAMES, 'put.');
      const { key, value, session } = op.put;
      if (session !== undefined && !sessions.includes(session)) sessions.push(session);
      return { request_put: this.putRequest(key, value, op.put) };
    }
    if ('delete' in op) {
      assertNames(op, OP_NAMES.delete);
      return { request_delete_range: deleteRequest(this.range(op.delete, 'delete'), op.previous) };
    }
    assertNames(op, OP_NAMES.txn);
    return { request_txn: this.txnRequest(op.txn, sessions, depth + 1) };
  }

  keyValue(wire: WireKeyValue): KeyValue {
    return new EtcdKeyValue(wire, this.#namespace.length);
  }

  rangeResult(response: RangeResponse, revision: bigint): RangeResult {
    return {
      kvs: response.kvs.map((kv) => this.keyValue(kv)),
      count: response.count,
      more: response.more,
      revision,
    };
  }

  putResult({ prev_kv }: PutResponse, revision: bigint): PutResult {
    return prev_kv === undefined ? { revision } : { revision, previous: this.keyValue(prev_kv) };
  }

  deleteResult({ deleted, prev_kvs }: DeleteRangeResponse, revision: bigint): DeleteResult {
    if (prev_kvs.length === 0) return { deleted, revision };
    return { deleted, revision, previous: prev_kvs.map((kv) => this.keyValue(kv)) };
  }

  /** The answers inside a transaction have no header of their own on all servers: the outer revision holds. */
  txnResult(response: TxnResponse, revision: bigint): TxnResult {
    return {
      succeeded: response.succeeded,
      revision,
      responses: response.responses.map((each) => this.#opResult(each, revision)),
    };
  }

  #opResult(response: ResponseOp, revision: bigint): OpResult {
    if ('response_range' in response) {
      return { type: 'get', ...this.rangeResult(response.response_range, revision) };
    }
    if ('response_put' in response) {
      return { type: 'put', ...this.putResult(response.response_put, revision) };
    }
    if ('response_delete_range' in response) {
      return { type: 'delete', ...this.deleteResult(response.response_delete_range, revision) };
    }
    return { type: 'txn', ...this.txnResult(response.response_txn, revision) };
  }
}

/** The request to delete a range, as the server knows the range. */
export function deleteRequest(range: KeyRange, previous: boolean | undefined): DeleteRangeRequest {
  return { key: range.key, range_end: range.end, prev_kv: flag(previous, 'previous') };
}

/** @throws {ValidationError} unless the table has this name */
function oneOf<Name extends string>(table: Readonly<Record<Name, unknown>>, name: Name, path: string): Name {
  if (Object.hasOwn(table, name)) return name;
  const names = Object.keys(table).join(' ');
  throw new ValidationError([{ path, message: `must be one of ${names}, got ${show(name)}` }]);
}

/** A misspelt `lease`, say, would be left out without a word. @throws {ValidationError} */
function assertNames(given: object, known: OptionNames, prefix?: string): void {
  for (const name in given) {
    if (known[name] === true) continue;
    const issues: IssueList = [];
    checkNames(issues, given, known, prefix);
    assertValid(issues);
    return;
  }
}

function flag(value: boolean | undefined, path: string): boolean | undefined {
  if (value !== undefined && typeof value !== 'boolean') assertValid(checkFlag([], path, value));
  return value;
}

/** Encodes the items of a list. What is wrong with one is told with its place: `success[1].put.key`. */
function encodeEach<T, U>(items: readonly T[] | undefined, path: string, encode: (item: T) => U): U[] {
  if (items === undefined) return [];
  if (!Array.isArray(items)) {
    throw new ValidationError([{ path, message: `must be an array, got ${show(items)}` }]);
  }
  // Filled by index: an array that grows makes room for seventeen.
  const encoded = new Array<U>(items.length);
  for (let i = 0; i < encoded.length; i++) {
    try {
      encoded[i] = encode(items[i]);
    } catch (error) {
      throw within(`${path}[${i}]`, error);
    }
  }
  return encoded;
}

/** The error with its paths as seen from further out: so they are only made when something is wrong. */
function within(outer: string, error: unknown): unknown {
  if (!(error instanceof ValidationError)) return error;
  const issues = error.issues.map(({ path, message }) => ({
    path: path === '' ? outer : `${outer}.${path}`,
    message,
  }));
  return new ValidationError(issues, { cause: error.cause });
}

function assertObject(value: unknown, path: string): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return;
  throw new ValidationError([{ path, message: `must be an object, got ${show(value)}` }]);
}

function assertSession(session: Partial<Session>, path: string): void {
  if (typeof session?.assertAlive === 'function' && typeof session.leaseId === 'bigint') return;
  throw new ValidationError([{ path, message: `must be a session, got ${show(session)}` }]);
}

function int64(value: bigint | undefined, path: string): bigint | undefined {
  return value === undefined ? undefined : requiredInt64(value, path);
}

function requiredInt64(value: bigint | number, path: string): bigint {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new ValidationError([{ path, message: `must be a bigint or a safe integer, got ${show(value)}` }]);
  }
  if (typeof value !== 'bigint' && typeof value !== 'number') {
    throw new ValidationError([{ path, message: `must be a bigint, got ${show(value)}` }]);
  }
  if (value < 0 || value > MAX_INT64) {
    throw new ValidationError([{ path, message: `must be from 0 to 2^63-1, got ${value}` }]);
  }
  return BigInt(value);
}

function count(value: number | undefined, path: string): number | undefined {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 0)) return value;
  throw new ValidationError([{ path, message: `must be a whole number from 0, got ${show(value)}` }]);
}
