import {
  type Compare,
  CoordError,
  type KeyValue,
  type KV,
  NotFoundError,
  type Op,
  type Session,
  SessionLostError,
  TimeoutError,
  type TxnRequest,
  type TxnResult,
} from '@coord/client';
import type { QueueKey } from './lock-key.js';
import type { LockSupport } from './lock-support.js';
import { isUnreachable } from './persist.js';

/** Where a contender stands. */
export interface Standing {
  /** False once its key is gone: the place is lost. */
  readonly present: boolean;
  /** The contender just before it, which alone it waits for; undefined = it holds the lock. */
  readonly predecessor: KeyValue | undefined;
  /** The first of the queue. */
  readonly holder: KeyValue | undefined;
}

/** The first answer of a joining contender. */
export interface Joined {
  readonly predecessor: KeyValue | undefined;
  /** How many are before it. */
  readonly ahead: number;
}

/** Whether an attempt to send something may have been applied, or may yet be, without our knowing. */
interface Sending {
  outcomeLost: boolean;
}

export type EnterResult =
  | { readonly entered: true }
  | { readonly entered: false; readonly holder?: KeyValue };

/**
 * How long the first, unrepeated attempt may take. Its failure costs nothing but a second write, so
 * it must not use up the time that a repetition over another endpoint needs.
 */
const FIRST_ATTEMPT_MS = 1_000;

/**
 * One contender for a mutex: its key in the queue, and the transactions that move it.
 *
 * The queue is ordered by create revision, which is also the fencing token. All it does is safe to
 * repeat. It remembers whether an enqueue of it may still be under way somewhere (a lost response, a
 * frozen member). If so, leaving also sets the abort mark, which makes that enqueue fail.
 */
export class MutexContender {
  readonly key: QueueKey;
  readonly #kv: KV;
  readonly #firstAttemptMs: number;
  readonly #session: Session;
  readonly #description: string;
  /** The create revision of our key, once known. */
  #revision: bigint | undefined;
  /** Writes to our key; guards moves to another lease against late repetitions. */
  #version = 1;
  readonly #enqueues: Sending = { outcomeLost: false };
  readonly #removals: Sending = { outcomeLost: false };
  #enqueueing: Promise<unknown> | undefined;

  constructor(
    { client, requestTimeoutMs }: LockSupport,
    key: QueueKey,
    session: Session,
    description: string,
  ) {
    this.#kv = client.kv;
    this.#firstAttemptMs = Math.min(FIRST_ATTEMPT_MS, requestTimeoutMs);
    this.key = key;
    this.#session = session;
    this.#description = description;
  }

  /** The create revision of its key: its place in the queue, and the fencing token. */
  get revision(): bigint | undefined {
    return this.#revision;
  }

  /** Joins the queue at its end. */
  join(): Promise<Joined> {
    return this.#enqueueBy(this.#join());
  }

  /** Takes the lock if nobody is in the queue, and otherwise leaves no trace. */
  enter(): Promise<EnterResult> {
    return this.#enqueueBy(this.#enter());
  }

  /** Looks where it stands: one read, at one revision. */
  async verify(): Promise<Standing> {
    const before = this.#joinedRevision() - 1n;
    const { prefix, etcdKey } = this.key;
    const { responses } = await this.#kv.txn({
      success: [
        { get: etcdKey },
        { get: { prefix }, options: { limit: 1, sort: NEWEST_FIRST, maxCreateRevision: before } },
        { get: { prefix }, options: { limit: 1, sort: OLDEST_FIRST } },
      ],
    });
    const [own, predecessor, holder] = responses.map((response) =>
      response.type === 'get' ? response.kvs[0] : undefined,
    );
    return { present: own?.createRevision === this.#revision, predecessor, holder };
  }

  /** Whether its key is still there: one read. */
  async isPresent(options?: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined }) {
    const own = await this.#kv.get(this.key.etcdKey, { keysOnly: true, ...options });
    return own?.createRevision === this.#joinedRevision();
  }

  /**
   * Leaves the queue or gives the lock up. Never touches a successor's key, and when it has
   * resolved, no enqueue of this contender can succeed any more.
   * @returns false when the key was certainly gone before
   */
  async leave(): Promise<boolean> {
    // Only its outcome can say what there is to remove.
    await this.#enqueueing?.catch(() => undefined);
    const withAbortMark = this.#enqueues.outcomeLost;
    try {
      return await this.#remove({ withAbortMark });
    } catch (error) {
      if (!withAbortMark || isUnreachable(error)) throw error;
      // The mark was refused, for want of space for one. The key at least must not block others.
      const removed = await this.#remove({ withAbortMark: false });
      if (!isLeaseGone(error)) throw error;
      // The lease that a stray enqueue needs is gone, so it cannot succeed: no mark is needed.
      return removed;
    }
  }

  /**
   * Moves its key to another session's lease, keeping its place and token.
   * @returns false when the key is gone
   */
  async moveTo(session: Session): Promise<boolean> {
    for (;;) {
      const version = this.#version;
      const { succeeded, responses } = await this.#kv.txn(
        {
          compare: [this.isOwn(), { key: this.key.etcdKey, target: 'version', is: '=', to: version }],
          success: [{ put: { key: this.key.etcdKey, value: '', ignoreValue: true, session } }],
          failure: [{ get: this.key.etcdKey }],
        },
        { idempotent: true },
      );
      if (succeeded) {
        this.#version = version + 1;
        return true;
      }
      const own = responses[0]?.type === 'get' ? responses[0].kvs[0] : undefined;
      if (own === undefined || own.createRevision !== this.#revision) return false;
      // An earlier attempt of ours, or somebody wrote to our key.
      this.#version = own.version;
      if (own.leaseId === session.leaseId) return true;
    }
  }

  /** The compare that holds only while this contender's key is there. */
  isOwn(): Compare {
    return { key: this.key.etcdKey, target: 'create', is: '=', to: this.#joinedRevision() };
  }

  async #join(): Promise<Joined> {
    const { succeeded, responses } = await this.#send(
      {
        compare: [isAbsent(this.key.etcdKey), isAbsent(this.key.abortKey)],
        success: [
          this.#put(),
          { get: { prefix: this.key.prefix }, options: { limit: 2, sort: NEWEST_FIRST } },
        ],
        failure: [{ get: this.key.etcdKey }],
      },
      this.#enqueues,
    );
    if (!succeeded) {
      this.#found(responses);
      const { predecessor } = await this.verify();
      return { predecessor, ahead: predecessor === undefined ? 0 : 1 };
    }
    const queue = responses[1]?.type === 'get' ? responses[1] : undefined;
    const own = this.#found(queue === undefined ? [] : [queue]);
    return {
      predecessor: queue?.kvs.find((kv) => kv.createRevision < own.createRevision),
      ahead: Math.max(0, (queue?.count ?? 1) - 1),
    };
  }

  async #enter(): Promise<EnterResult> {
    const { prefix, etcdKey, abortKey } = this.key;
    const { succeeded, responses } = await this.#send(
      {
        compare: [{ key: { prefix }, target: 'create', is: '=', to: 0n }, isAbsent(abortKey)],
        success: [this.#put(), { get: etcdKey }],
        failure: [{ get: etcdKey }, { get: { prefix }, options: { limit: 1, sort: OLDEST_FIRST } }],
      },
      this.#enqueues,
    );
    const gets = responses.filter((response) => response.type === 'get');
    // In the failure branch our own key means that an earlier attempt had entered.
    if (succeeded || gets[0]?.kvs.length === 1) {
      this.#found(gets);
      return { entered: true };
    }
    const holder = gets[1]?.kvs[0];
    return holder === undefined ? { entered: false } : { entered: false, holder };
  }

  async #remove({ withAbortMark }: { withAbortMark: boolean }): Promise<boolean> {
    const mark: Op[] = withAbortMark ? [this.#abortMark()] : [];
    const remove: Op = { delete: this.key.etcdKey };
    if (this.#revision === undefined) {
      // Nothing of ours can be in etcd, unless the answer to an enqueue was lost.
      if (!this.#enqueues.outcomeLost) return true;
      await this.#kv.txn({ success: [remove, ...mark] }, { idempotent: true });
      return true;
    }
    const { succeeded } = await this.#send(
      { compare: [this.isOwn()], success: [remove, ...mark], failure: mark },
      this.#removals,
    );
    // Not there: removed by an earlier attempt of ours whose answer was lost, or by somebody else.
    return succeeded || this.#removals.outcomeLost;
  }

  #enqueueBy<T>(enqueueing: Promise<T>): Promise<T> {
    this.#enqueueing = enqueueing;
    return enqueueing;
  }

  /**
   * Sends a transaction once; only when its outcome is lost, again and repeatably. So we know
   * whether another attempt may have been applied, or may yet be.
   */
  async #send(request: TxnRequest, sending: Sending): Promise<TxnResult> {
    if (!sending.outcomeLost) {
      try {
        return await this.#kv.txn(request, { timeoutMs: this.#firstAttemptMs });
      } catch (error) {
        const outcomeLost = !CoordError.is(error) || error.outcome === 'unknown';
        if (!outcomeLost && !(error instanceof TimeoutError)) throw error;
      }
      // From here on the client itself repeats it.
      sending.outcomeLost = true;
    }
    return this.#kv.txn(request, { idempotent: true });
  }

  /** Takes note of our own key in a response. */
  #found(responses: TxnResult['responses']): KeyValue {
    for (const response of responses) {
      const own =
        response.type === 'get' ? response.kvs.find((kv) => kv.key === this.key.etcdKey) : undefined;
      if (own === undefined) continue;
      this.#revision = own.createRevision;
      this.#version = own.version;
      return own;
    }
    throw new NotFoundError(`key ${this.key.etcdKey} is missing though etcd accepted it`, {
      key: this.key.etcdKey,
      outcome: 'unknown',
    });
  }

  #joinedRevision(): bigint {
    if (this.#revision === undefined) throw new TypeError(`${this.key.etcdKey} has not joined its queue`);
    return this.#revision;
  }

  #put(): Op {
    return { put: { key: this.key.etcdKey, value: this.#description, session: this.#session } };
  }

  /**
   * The mark shares the lease of the enqueue that it forbids: a shorter-lived one could go before
   * the enqueue arrives, and once this lease is gone the enqueue fails by itself.
   */
  #abortMark(): Op {
    return { put: { key: this.key.abortKey, value: '', leaseId: this.#session.leaseId } };
  }
}

const NEWEST_FIRST = { by: 'create', order: 'descend' } as const;
const OLDEST_FIRST = { by: 'create', order: 'ascend' } as const;

function isAbsent(key: string): Compare {
  return { key, target: 'create', is: '=', to: 0n };
}

/** Whether etcd refused a put because its lease is gone: then nothing of the transaction was applied. */
export function isLeaseGone(error: unknown): boolean {
  return (
    error instanceof SessionLostError || (error instanceof NotFoundError && error.outcome === 'not-applied')
  );
}
