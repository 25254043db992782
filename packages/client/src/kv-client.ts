import type { Coalescer } from './coalescing/coalescer.js';
import { withReads } from './coalescing/footprint.js';
import { KeySpan } from './coalescing/key-span.js';
import { deleteCall, type KvCall, putCall, rangeCall, txnCall } from './coalescing/kv-call.js';
import { NotFoundError, SessionLostError } from './errors.js';
import type { KeyValue } from './key-value.js';
import type {
  CallOptions,
  DeleteOptions,
  DeleteResult,
  GetOptions,
  KV,
  ListOptions,
  OpResult,
  PutOptions,
  PutResult,
  RangeOptions,
  RangeResult,
  TxnRequest,
  TxnResult,
  WriteOptions,
} from './kv.js';
import type { RequestOp, TxnRequestMessage } from './kv-messages.js';
import type { NamesOf } from './option-names.js';
import { PageSize } from './page-size.js';
import type { Key, KeyRange, Range } from './range.js';
import type { Session } from './session.js';
import type { CallKind } from './transport.js';
import { deleteRequest, PUT_FIELD_NAMES, READ_NAMES, type TxnCodec } from './txn-codec.js';
import {
  assertValid,
  checkFlag,
  checkWaitFields,
  type IssueList,
  isArray,
  readInput,
  readOptions,
  show,
  WAIT_NAMES,
} from './validation.js';

/** Called with each range that this client has changed, and the revision of the change. */
export type WriteListener = (range: KeyRange, revision: bigint) => void;

const DEFAULT_PAGE_SIZE = 1_000;

const CALL_NAMES = { ...WAIT_NAMES, idempotent: true, coalesce: true } satisfies NamesOf<CallOptions>;
const WRITE_NAMES = { ...CALL_NAMES, exclusive: true } satisfies NamesOf<WriteOptions>;
const GET_NAMES = {
  ...CALL_NAMES,
  revision: true,
  serializable: true,
  keysOnly: true,
} satisfies NamesOf<GetOptions>;
const RANGE_NAMES = { ...CALL_NAMES, ...READ_NAMES } satisfies NamesOf<RangeOptions>;
const LIST_NAMES = {
  ...CALL_NAMES,
  pageSize: true,
  keysOnly: true,
  revision: true,
} satisfies NamesOf<ListOptions>;
const PUT_NAMES = { ...WRITE_NAMES, ...PUT_FIELD_NAMES } satisfies NamesOf<PutOptions>;
const DELETE_NAMES = { ...WRITE_NAMES, previous: true } satisfies NamesOf<DeleteOptions>;

/** The key-value store: encodes, calls, decodes. */
export class KvClient implements KV {
  readonly #coalescer: Coalescer;
  readonly #codec: TxnCodec;
  readonly #onWrite: WriteListener;

  constructor(coalescer: Coalescer, codec: TxnCodec, onWrite: WriteListener) {
    this.#coalescer = coalescer;
    this.#codec = codec;
    this.#onWrite = onWrite;
  }

  async get(key: Key, given?: GetOptions): Promise<KeyValue | undefined> {
    const options = readCallOptions(given, GET_NAMES);
    const request = readInput('get', () =>
      this.#codec.rangeRequest({ key: this.#codec.key(key) }, options, 1),
    );
    const response = await this.#coalescer.call(rangeCall(request), options);
    const kv = response.kvs[0];
    return kv === undefined ? undefined : this.#codec.keyValue(kv);
  }

  async range(range: Range, given?: RangeOptions): Promise<RangeResult> {
    const options = readCallOptions(given, RANGE_NAMES);
    const request = readInput('range', () => this.#codec.rangeRequest(this.#codec.range(range), options));
    const response = await this.#coalescer.call(rangeCall(request), options);
    return this.#codec.rangeResult(response, response.header.revision);
  }

  list(range: Range, options?: ListOptions): AsyncIterable<KeyValue> {
    const pages = this.pages(range, options);
    return (async function* () {
      for await (const page of pages) yield* page.kvs;
    })();
  }

  /** A range page by page, all at the revision of the first page. */
  pages(range: Range, given?: ListOptions): AsyncIterable<RangeResult> {
    const options = readCallOptions(given, LIST_NAMES);
    return readInput('list', () => {
      const { pageSize = DEFAULT_PAGE_SIZE } = options;
      if (!Number.isSafeInteger(pageSize) || pageSize < 1) {
        assertValid([{ path: 'pageSize', message: `must be a whole number from 1, got ${show(pageSize)}` }]);
      }
      const target = this.#codec.range(range);
      this.#codec.rangeRequest(target, options); // refused here, not at the first page
      return this.#pages(target, pageSize, options);
    });
  }

  async *#pages(range: KeyRange, maxKeys: number, options: ListOptions): AsyncIterable<RangeResult> {
    const size = new PageSize(maxKeys);
    // By itself: a page is large, and whoever shares a request with it would wait for it.
    const call = { ...options, coalesce: false };
    let rest: KeyRange | undefined = range;
    let revision = options.revision || undefined; // 0n is the newest, which the first page finds out
    while (rest !== undefined) {
      const request = this.#codec.rangeRequest(rest, { ...options, revision }, size.keys);
      const response = await this.#coalescer.call(rangeCall(request), call);
      size.note(response.kvs);
      // Later pages answer with the store's newest revision; what they show is the pinned one.
      revision ??= response.header.revision;
      yield this.#codec.rangeResult(response, revision);
      const last = response.kvs.at(-1);
      rest = response.more && last && range.end ? { key: keyAfter(last.key), end: range.end } : undefined;
    }
  }

  async put(key: Key, value: string | Uint8Array, given?: PutOptions): Promise<PutResult> {
    const options = readCallOptions(given, PUT_NAMES);
    const request = readInput('put', () => this.#codec.putRequest(key, value, options));
    const call = putCall(request, kindOf(options), this.#coalescer.rules);
    const { session } = options;
    const response = await (session
      ? this.#sessionBound(call, options, [session])
      : this.#call(call, options));
    const revision = response.header.revision;
    this.#onWrite({ key: request.key }, revision);
    return this.#codec.putResult(response, revision);
  }

  async delete(range: Range, given?: DeleteOptions): Promise<DeleteResult> {
    const options = readCallOptions(given, DELETE_NAMES);
    const { target, request } = readInput('delete', () => {
      const target = this.#codec.range(range);
      return { target, request: deleteRequest(target, options.previous) };
    });
    const response = await this.#call(deleteCall(request, kindOf(options)), options);
    const result = this.#codec.deleteResult(response, response.header.revision);
    if (result.deleted > 0) this.#onWrite(target, result.revision);
    return result;
  }

  async txn(request: TxnRequest, given?: WriteOptions): Promise<TxnResult> {
    const options = readCallOptions(given, WRITE_NAMES);
    const sessions: Session[] = [];
    const wire = readInput('txn', () => this.#codec.txnRequest(request, sessions));
    const call = txnCall(wire, isReadOnly(wire) ? 'read' : kindOf(options));
    const response = await (sessions.length > 0
      ? this.#sessionBound(call, options, sessions)
      : this.#call(call, options));
    const result = this.#codec.txnResult(response, response.header.revision);
    this.#reportWrites(wire, result);
    return result;
  }

  #call<Response>(call: KvCall<Response>, options: WriteOptions): Promise<Response> {
    const { exclusive } = options;
    if (exclusive === undefined || exclusive.length === 0) return this.#coalescer.call(call, options);
    const spans = readInput('exclusive', () =>
      Array.from(exclusive, (range, i) => {
        const { key, end } = this.#codec.range(range, `exclusive[${i}]`);
        return new KeySpan(key, end);
      }),
    );
    call.footprint = withReads(call.footprint, spans);
    return this.#coalescer.call(call, options);
  }

  /** A put refused for its lease is a lost session, where there is no other lease in the call. */
  #sessionBound<Response>(
    call: KvCall<Response>,
    options: WriteOptions,
    sessions: readonly Session[],
  ): Promise<Response> {
    return this.#call(call, options).catch((cause: unknown) => {
      if (!(cause instanceof NotFoundError)) throw cause;
      // They hear of it now, not with their next keepalive.
      for (const session of sessions) session.keepAlive().catch(() => undefined);
      const leases = call.leases();
      const lost = sessions.find(({ leaseId }) => leases.every((each) => each === leaseId));
      if (lost === undefined) throw cause;
      const { leaseId } = lost;
      const { outcome } = cause; // an earlier attempt may have arrived while there was the lease
      const message = `session lost: lease ${leaseId.toString(16)} is gone from etcd; start a new session`;
      throw new SessionLostError(message, { leaseId, cause, outcome });
    });
  }

  #reportWrites(request: TxnRequestMessage, result: TxnResult): void {
    const branch = result.succeeded ? request.success : request.failure;
    for (let i = 0; i < branch.length; i++) {
      const [op, response] = [branch[i], result.responses[i]];
      if (op !== undefined && response !== undefined) this.#reportWrite(op, response);
    }
  }

  #reportWrite(op: RequestOp, response: OpResult): void {
    const { request_put, request_delete_range, request_txn } = op;
    if (request_put !== undefined) this.#onWrite({ key: request_put.key }, response.revision);
    else if (request_delete_range !== undefined && response.type === 'delete' && response.deleted > 0) {
      const { key, range_end: end } = request_delete_range;
      this.#onWrite({ key, ...(end && { end }) }, response.revision);
    } else if (request_txn !== undefined && response.type === 'txn') {
      this.#reportWrites(request_txn, response);
    }
  }
}

/** @throws {ValidationError} */
function readCallOptions<T extends WriteOptions>(given: T | undefined, names: NamesOf<T>): T {
  const issues: IssueList = [];
  const options = readOptions(issues, given, names);
  if (given === undefined) return options;
  checkWaitFields(issues, options);
  const { coalesce, idempotent, exclusive } = options;
  checkFlag(issues, 'coalesce', coalesce);
  checkFlag(issues, 'idempotent', idempotent);
  if (exclusive !== undefined && !isArray(exclusive)) {
    issues.push({ path: 'exclusive', message: `must be an array of ranges, got ${show(exclusive)}` });
  }
  assertValid(issues);
  return options;
}

function kindOf(options: CallOptions): CallKind {
  return options.idempotent ? 'idempotent' : 'write';
}

function isReadOnly({ success, failure }: TxnRequestMessage): boolean {
  return success.every(isRead) && failure.every(isRead);
}

function isRead({ request_range, request_txn }: RequestOp): boolean {
  return request_range !== undefined || (request_txn !== undefined && isReadOnly(request_txn));
}

/** The first key that sorts after this one. */
function keyAfter(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.of(0)]);
}
