import {
  type Compare,
  type KeyValue,
  NotFoundError,
  type Op,
  type OpResult,
  type TxnRequest,
  type TxnResult,
} from '@coord/client';

interface Stored {
  readonly key: string;
  readonly createRevision: bigint;
  readonly leaseId: bigint;
}

/** etcd, as far as the queue of a lock needs it: keys with create revisions, on leases. */
export class QueueServer {
  #revision = 1n;
  readonly #keys = new Map<string, Stored>();
  readonly #expired = new Set<bigint>();

  /** The keys of a queue, the oldest first. */
  queue(prefix: string): readonly Stored[] {
    return [...this.#keys.values()]
      .filter(({ key }) => key.startsWith(prefix))
      .sort((a, b) => Number(a.createRevision - b.createRevision));
  }

  /** The lease ends, and its keys with it. */
  expire(leaseId: bigint): void {
    this.#expired.add(leaseId);
    for (const { key } of [...this.#keys.values()].filter((each) => each.leaseId === leaseId))
      this.delete(key);
  }

  hasLease(leaseId: bigint): boolean {
    return !this.#expired.has(leaseId);
  }

  delete(key: string): void {
    if (this.#keys.delete(key)) this.#revision++;
  }

  /** @throws {NotFoundError} for a lease that is gone: then nothing is applied */
  txn({ compare = [], success = [], failure = [] }: TxnRequest): TxnResult {
    const succeeded = compare.every((each) => this.#holds(each));
    const ops = succeeded ? success : failure;
    for (const op of ops) {
      if ('put' in op && !this.hasLease(leaseOf(op))) {
        throw new NotFoundError('requested lease not found', { key: 'lease' });
      }
    }
    const writes = ops.some((op) => 'put' in op || ('delete' in op && this.#keys.has(String(op.delete))));
    if (writes) this.#revision++;
    return { succeeded, responses: ops.map((op) => this.#run(op)), revision: this.#revision };
  }

  #holds({ key, to }: Compare): boolean {
    if (typeof key === 'object' && 'prefix' in key) return this.queue(String(key.prefix)).length === 0;
    return (this.#keys.get(String(key))?.createRevision ?? 0n) === to;
  }

  #run(op: Op): OpResult {
    const revision = this.#revision;
    if ('put' in op) {
      const key = String(op.put.key);
      this.#keys.set(key, { key, createRevision: revision, leaseId: leaseOf(op) });
      return { type: 'put', revision };
    }
    if ('delete' in op) {
      const deleted = this.#keys.delete(String(op.delete)) ? 1 : 0;
      return { type: 'delete', deleted, revision, previous: [] };
    }
    if (!('get' in op)) throw new Error('an operation that the model does not know');
    const { get: range, options = {} } = op;
    const { limit = 0, sort, maxCreateRevision = revision } = options;
    const all =
      typeof range === 'object' && 'prefix' in range
        ? this.queue(String(range.prefix)).filter(({ createRevision }) => createRevision <= maxCreateRevision)
        : this.queue(String(range)).filter(({ key }) => key === range);
    if (sort?.order === 'descend') all.reverse();
    const page = limit > 0 ? all.slice(0, limit) : all;
    return {
      type: 'get',
      kvs: page.map(toKeyValue),
      count: all.length,
      more: page.length < all.length,
      revision,
    };
  }
}

function leaseOf(op: Extract<Op, { put: unknown }>): bigint {
  return op.put.session?.leaseId ?? op.put.leaseId ?? 0n;
}

function toKeyValue({ key, createRevision, leaseId }: Stored): KeyValue {
  const value = Buffer.alloc(0);
  const stored = { key, createRevision, modRevision: createRevision, leaseId, version: 1 };
  return { ...stored, rawKey: Buffer.from(key), value, text: () => '', json: () => undefined };
}
