import { types } from 'node:util';
import type { KeyValue } from '../key-value.js';
import type {
  DeleteOptions,
  DeleteResult,
  GetOptions,
  KV,
  ListOptions,
  PutOptions,
  PutResult,
  RangeOptions,
  RangeResult,
  TxnRequest,
  TxnResult,
  WriteOptions,
} from '../kv.js';
import type { KvClient } from '../kv-client.js';
import type { Key, Range } from '../range.js';
import type { Observer, Operation, Subject } from './observer.js';

const GET = operation('get');
const RANGE = operation('range');
const LIST = operation('list');
const PUT = operation('put');
const DELETE = operation('delete');
const TXN = operation('txn');

/**
 * The key-value store with a span for each call that is made through it, and its duration measured. The calls
 * that share a request have a span each, in the context of their callers.
 */
export class ObservedKv implements KV {
  readonly #kv: KvClient;
  readonly #observer: Observer;

  constructor(kv: KvClient, observer: Observer) {
    this.#kv = kv;
    this.#observer = observer;
  }

  get(key: Key, options?: GetOptions): Promise<KeyValue | undefined> {
    return this.#observer.observe(GET, about(key), () => this.#kv.get(key, options));
  }

  range(range: Range, options?: RangeOptions): Promise<RangeResult> {
    return this.#observer.observe(RANGE, about(range), () => this.#kv.range(range, options));
  }

  list(range: Range, options?: ListOptions): AsyncIterable<KeyValue> {
    return this.#list(this.#kv.pages(range, options), about(range));
  }

  put(key: Key, value: string | Uint8Array, options?: PutOptions): Promise<PutResult> {
    return this.#observer.observe(PUT, about(key), () => this.#kv.put(key, value, options));
  }

  delete(range: Range, options?: DeleteOptions): Promise<DeleteResult> {
    return this.#observer.observe(DELETE, about(range), () => this.#kv.delete(range, options));
  }

  txn(request: TxnRequest, options?: WriteOptions): Promise<TxnResult> {
    return this.#observer.observe(TXN, NOTHING, () => this.#kv.txn(request, options));
  }

  /** A span for each page: what the reader does in between takes its own time. */
  async *#list(list: AsyncIterable<RangeResult>, subject: Subject): AsyncIterable<KeyValue> {
    const pages = list[Symbol.asyncIterator]();
    try {
      for (;;) {
        const page = await this.#observer.observe(LIST, subject, () => pages.next());
        if (page.done === true) return;
        yield* page.value.kvs;
        if (!page.value.more) return;
      }
    } finally {
      await pages.return?.();
    }
  }
}

function operation(name: string): Operation {
  return {
    name: `coord.kv.${name}`,
    attributes: { 'db.system.name': 'etcd', 'db.operation.name': name },
  };
}

const NOTHING: Subject = {};

/** Whatever a caller gives: that it is good, the call finds out. */
function about(range: unknown): Subject {
  if (typeof range === 'string') return { key: range };
  try {
    if (types.isUint8Array(range)) return { key: Buffer.from(range).toString('utf8') };
    const prefix: unknown = Reflect.get(Object(range), 'prefix');
    return typeof prefix === 'string' ? { prefix } : NOTHING;
  } catch {
    return NOTHING; // such as a getter that throws
  }
}
