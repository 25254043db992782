import type { Compare, KeyValue, KV, Op, Session } from '@coord/client';
import { prefixEnd } from '@coord/client/internal';
import { Contender } from './contender.js';
import { LockConflictError } from './errors.js';
import { holderOf } from './holder.js';
import { readWriteFolders, readWritePlace } from './lock-key.js';
import type { LockSupport } from './lock-support.js';
import { isAt } from './own-keys.js';
import { type Sending, trackedTxn } from './tracked-txn.js';

export interface ReadWriteRequest {
  readonly name: string;
  readonly keyPrefix: string;
  readonly mode: 'read' | 'write';
  /** The value of our keys. */
  readonly description: string;
}

/** A reader or a writer, and how one becomes the other without ever giving its place up. */
export class ReadWriteContender extends Contender {
  readonly #kv: KV;
  readonly #requestTimeoutMs: number;
  readonly #request: ReadWriteRequest;
  readonly #folder: string;
  readonly #writeKey: string;

  constructor(support: LockSupport, request: ReadWriteRequest, session: Session) {
    const { keyPrefix, name, mode, description } = request;
    super(support, readWritePlace(keyPrefix, name, mode, session.leaseId), session, description);
    this.#kv = support.client.kv;
    this.#requestTimeoutMs = support.requestTimeoutMs;
    this.#request = request;
    const { q, w } = readWriteFolders(keyPrefix, name);
    this.#folder = q;
    this.#writeKey = `${w}${this.etcdKeys[0].slice(q.length)}`;
  }

  /**
   * A reader becomes a writer if it is alone: nobody else holds the lock or waits for it.
   * @returns false when its key is gone
   * @throws {LockConflictError} when it is not alone
   */
  async upgrade(session: Session): Promise<boolean> {
    // An attempt may be applied after we have left; then its key must go with ours.
    this.mayWrite(this.#writeKey);
    const sending: Sending = { outcomeLost: false };
    for (;;) {
      const queueKey = this.own.first;
      const { etcdKey, createRevision, modRevision } = queueKey;
      const { succeeded, responses } = await trackedTxn(
        this.#kv,
        {
          compare: [
            isAt(etcdKey, createRevision),
            { key: etcdKey, target: 'mod', is: '=', to: modRevision },
            isAt(this.#writeKey, 0n),
            ...this.#nobodyElse(etcdKey),
          ],
          success: [this.#putWriteKey(session), { get: this.#writeKey }],
          failure: [{ get: this.#writeKey }, { get: etcdKey }, { get: { prefix: this.#folder } }],
        },
        [sending],
        this.#requestTimeoutMs,
      );
      const [first, own, all] = responses
        .filter((response) => response.type === 'get')
        .map(({ kvs }) => kvs as readonly KeyValue[]);
      const written = first?.[0];
      if (written !== undefined) {
        const { createRevision: token } = written;
        const writeKey = { etcdKey: this.#writeKey, createRevision: token, modRevision: written.modRevision };
        this.own.become(queueKey, [writeKey], token);
        return true;
      }
      if (succeeded || own?.[0]?.createRevision !== createRevision) return false;
      this.own.become({ ...queueKey, modRevision: own[0].modRevision }, [], this.token);
      const other = all?.find((kv) => kv.key !== etcdKey);
      if (other === undefined) continue; // our key was written to, or they have left meanwhile
      // A late attempt must not make a writer of us after all.
      if (sending.outcomeLost) await this.#withdraw();
      throw new LockConflictError(this.#request.name, holderOf(other));
    }
  }

  /**
   * A writer becomes a reader, at its place: readers behind it are let in, writers are not.
   * @returns false when a key of it is gone
   */
  async downgrade(): Promise<boolean> {
    const queueKey = this.own.first;
    const sending: Sending = { outcomeLost: false };
    const { succeeded, responses, revision } = await trackedTxn(
      this.#kv,
      {
        compare: this.isOwn(),
        success: [{ delete: this.#writeKey }, touch(queueKey.etcdKey)],
        failure: [{ get: queueKey.etcdKey }, { get: this.#writeKey }],
      },
      [sending],
      this.#requestTimeoutMs,
    );
    const [own, written] = responses.map((response) =>
      response.type === 'get' ? response.kvs[0] : undefined,
    );
    const isReader = own?.createRevision === queueKey.createRevision && written === undefined;
    // Without an answer that was lost, the write key was somebody else's to delete.
    if (!succeeded && !(isReader && sending.outcomeLost)) return false;
    const modRevision = succeeded ? revision : (own?.modRevision ?? queueKey.modRevision);
    this.own.become({ ...queueKey, modRevision }, [], this.token);
    return true;
  }

  async #withdraw(): Promise<void> {
    const queueKey = this.own.first;
    const request = { compare: this.isOwn(), success: [{ delete: this.#writeKey }, touch(queueKey.etcdKey)] };
    const { succeeded, revision } = await this.#kv.txn(request, { idempotent: true });
    if (succeeded) this.own.become({ ...queueKey, modRevision: revision }, [], this.token);
  }

  #putWriteKey(session: Session): Op {
    return { put: { key: this.#writeKey, value: this.#request.description, session } };
  }

  /** A compare over a range holds for every key in it: create revision 0 = there is none. */
  #nobodyElse(etcdKey: string): Compare[] {
    const end = prefixEnd(Buffer.from(this.#folder));
    return [
      { key: { start: this.#folder, end: etcdKey }, target: 'create', is: '=', to: 0n },
      { key: { start: `${etcdKey}\0`, end }, target: 'create', is: '=', to: 0n },
    ];
  }
}

/** Gives the key a new mod revision: an upgrade that was sent before and arrives later fails. */
function touch(key: string): Op {
  return { put: { key, value: '', ignoreValue: true, ignoreLease: true } };
}
