import type { WireKeyValue } from '../../src/key-value.js';
import {
  type CompareMessage,
  CompareTarget,
  type RequestOp,
  type ResponseHeader,
  type ResponseOp,
  type TxnRequestMessage,
  type TxnResponse,
} from '../../src/kv-messages.js';

/** What a member does with a request, as far as the calls of these schedules need it: keys, revisions, nested Txns. */
export class EtcdModel {
  #revision = 1n;
  readonly #keys = new Map<string, WireKeyValue>();

  get header(): ResponseHeader {
    return { cluster_id: 1n, revision: this.#revision };
  }

  /** The create revision of a key; 0n = it is not there. */
  createRevision(key: string): bigint {
    return this.#keys.get(key)?.create_revision ?? 0n;
  }

  /** All of it or nothing, at one revision. */
  txn(request: TxnRequestMessage): TxnResponse {
    const write = { revision: this.#revision + 1n, changed: false };
    // As etcd does it: every compare, nested ones included, looks at the state before.
    const chosen = new Map<TxnRequestMessage, boolean>();
    this.#choose(request, chosen);
    const response = this.#run(request, chosen, write);
    if (write.changed) this.#revision = write.revision;
    return { ...response, header: this.header };
  }

  #choose(request: TxnRequestMessage, chosen: Map<TxnRequestMessage, boolean>): void {
    const succeeded = request.compare.every((compare) => this.#holds(compare));
    chosen.set(request, succeeded);
    for (const { request_txn } of succeeded ? request.success : request.failure) {
      if (request_txn !== undefined) this.#choose(request_txn, chosen);
    }
  }

  #holds({ key, target, create_revision }: CompareMessage): boolean {
    if (target !== CompareTarget.Create) throw new Error('the model compares create revisions only');
    return this.createRevision(key.toString()) === create_revision;
  }

  #run(
    request: TxnRequestMessage,
    chosen: ReadonlyMap<TxnRequestMessage, boolean>,
    write: { readonly revision: bigint; changed: boolean },
  ): TxnResponse {
    const succeeded = chosen.get(request) ?? false;
    const responses = (succeeded ? request.success : request.failure).map((op) => {
      if (op.request_txn !== undefined) return { response_txn: this.#run(op.request_txn, chosen, write) };
      return this.#runOp(op, write);
    });
    return { header: { cluster_id: 1n, revision: 0n }, succeeded, responses };
  }

  #runOp(
    { request_put: put, request_delete_range: deletion, request_range: range }: RequestOp,
    write: { readonly revision: bigint; changed: boolean },
  ): ResponseOp {
    const header = { cluster_id: 1n, revision: 0n };
    if (put !== undefined) {
      const prev_kv = this.#keys.get(put.key.toString());
      this.#keys.set(put.key.toString(), {
        key: put.key,
        value: put.value,
        create_revision: prev_kv?.create_revision ?? write.revision,
        mod_revision: write.revision,
        version: (prev_kv?.version ?? 0n) + 1n,
        lease: 0n,
      });
      write.changed = true;
      return { response_put: { header, prev_kv } };
    }
    if (deletion !== undefined) {
      const prev_kvs = this.#inRange(deletion.key, deletion.range_end);
      for (const { key } of prev_kvs) this.#keys.delete(key.toString());
      if (prev_kvs.length > 0) write.changed = true;
      return { response_delete_range: { header, deleted: prev_kvs.length, prev_kvs } };
    }
    if (range === undefined) throw new Error('an operation that the model does not know');
    const kvs = this.#inRange(range.key, range.range_end);
    return { response_range: { header, kvs, more: false, count: kvs.length } };
  }

  #inRange(key: Buffer, end: Buffer | undefined): WireKeyValue[] {
    const [from, to] = [key.toString(), end?.toString()];
    return [...this.#keys.values()]
      .filter((kv) => {
        const each = kv.key.toString();
        return to === undefined ? each === from : each >= from && each < to;
      })
      .sort((a, b) => Buffer.compare(a.key, b.key));
  }
}
