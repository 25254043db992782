import {
  AbortedError,
  type Compare,
  CoordError,
  type KV,
  NotFoundError,
  type Op,
  type OpResult,
  type Range,
  ResourceExhaustedError,
  type Session,
  SessionLostError,
  type TxnResult,
  type WaitOptions,
} from '@coord/client';
import type { Hold } from './hold.js';
import type { EntryKeys } from './lock-key.js';
import type { KvSupport } from './lock-support.js';
import { isAt, OwnKeys } from './own-keys.js';
import { isUnreachable } from './persist.js';
import { type Sending, trackedTxn } from './tracked-txn.js';

type GetResult = Extract<OpResult, { type: 'get' }>;

export interface Enqueue {
  /** What must hold besides, or nothing is written. */
  readonly conditions?: readonly Compare[];
  /** Read together with the write. One of them must show the entry's first key. */
  readonly reads: readonly Op[];
  /** Read when the conditions do not hold. */
  readonly elseReads?: readonly Op[];
}

export interface Enqueued {
  readonly entered: boolean;
  /** The answers to `reads` if entered, otherwise to `elseReads`; none if an earlier attempt had entered. */
  readonly answers?: readonly GetResult[];
}

export interface HandedOver {
  /** False when it was certainly gone before. */
  readonly left: boolean;
  /** How the other entry was taken along, if it was. */
  readonly joined?: Enqueued | undefined;
}

const NONE: ReadonlySet<string> = new Set();

/**
 * A contender's keys in one queue or several: one transaction writes them, another removes them.
 *
 * Queues are ordered by create revision, which is also the fencing token. All it does is safe to
 * repeat. It remembers whether an enqueue of it may still be under way somewhere (a lost response, a
 * frozen member). If so, leaving also sets the abort mark, which makes that enqueue fail.
 */
export class QueueEntry implements Hold {
  readonly keys: EntryKeys;
  readonly #kv: KV;
  readonly #requestTimeoutMs: number;
  readonly #session: Session;
  readonly #description: string;
  /** Our keys, once they are known to be in etcd. */
  #own: OwnKeys | undefined;
  /** Keys that may come to be there without our knowing. */
  #strays: ReadonlySet<string> = NONE;
  readonly #enqueues: Sending = { outcomeLost: false };
  readonly #removals: Sending = { outcomeLost: false };
  #enqueueing: Promise<unknown> | undefined;
  #isLeaving = false;

  /** @param description the value of our keys */
  constructor(
    { client, requestTimeoutMs }: KvSupport,
    keys: EntryKeys,
    session: Session,
    description: string,
  ) {
    this.#kv = client.kv;
    this.#requestTimeoutMs = requestTimeoutMs;
    this.keys = keys;
    this.#session = session;
    this.#description = description;
  }

  get name(): string {
    return this.keys.name;
  }

  get etcdKeys(): readonly [string, ...string[]] {
    return this.#own?.etcdKeys ?? this.keys.etcdKeys;
  }

  /** The create revision of its keys: its place in the queue; undefined while it has none. */
  get revision(): bigint | undefined {
    return this.#own?.first.createRevision;
  }

  get token(): bigint {
    return this.own.token;
  }

  /** Writes its keys, all or none. */
  enqueue(request: Enqueue): Promise<Enqueued> {
    if (this.#isLeaving) {
      return Promise.reject(new AbortedError(`${this.keys.etcdKeys[0]} has been given up`));
    }
    const enqueueing = this.#enqueue(request);
    this.#enqueueing = enqueueing;
    return enqueueing;
  }

  isPresent(options?: WaitOptions): Promise<boolean> {
    return this.own.arePresent(options);
  }

  moveTo(session: Session): Promise<boolean> {
    return this.own.moveTo(session);
  }

  isOwn(): readonly [Compare, ...Compare[]] {
    return this.own.areOwn();
  }

  /**
   * Leaves the queue or gives the lock up. Never touches a successor's key, and when it has
   * resolved, no enqueue of this entry can succeed any more.
   * @returns false when a key was certainly gone before
   */
  leave(): Promise<boolean> {
    this.#isLeaving = true;
    const isSettled = this.#own !== undefined || this.#enqueueing === undefined;
    if (isSettled && !this.#enqueues.outcomeLost) return this.#remove({ withAbortMark: false });
    return this.#leaveUnsettled();
  }

  async #leaveUnsettled(): Promise<boolean> {
    // Only its outcome can say what there is to remove.
    await this.#enqueueing?.catch(() => undefined);
    const withAbortMark = this.#enqueues.outcomeLost;
    try {
      return await this.#remove({ withAbortMark });
    } catch (error) {
      if (!withAbortMark || isUnreachable(error)) throw error;
      // The mark was refused, for want of space for one. The keys at least must not block others.
      const removed = await this.#remove({ withAbortMark: false });
      if (!isLeaseGone(error)) throw error;
      // The lease that a stray enqueue needs is gone, so it cannot succeed: no mark is needed.
      return removed;
    }
  }

  /**
   * Leaves and lets another entry join, in one transaction; if that cannot be, it only leaves. Safe to repeat.
   * @param reads as in `enqueue` of the other entry
   */
  async leaveTo(next: QueueEntry, reads: readonly Op[]): Promise<HandedOver> {
    if (next.#isLeaving || this.#enqueues.outcomeLost || this.#strays.size > 0)
      return { left: await this.leave() };
    const handing = this.#handOver(next, reads);
    next.#enqueueing = handing;
    try {
      return await handing;
    } catch (error) {
      // Without space etcd may have applied it all the same: leaving is guarded, and the other finds its keys when it joins.
      const noSpace = error instanceof ResourceExhaustedError;
      const isLost = !CoordError.is(error) || error.outcome === 'unknown' || isUnreachable(error);
      if (isLost && !noSpace) throw error;
      // Else it was refused as a whole: the other's lease is gone.
      return { left: await this.leave() };
    }
  }

  /** Its keys in etcd. @throws {TypeError} while it has none */
  protected get own(): OwnKeys {
    if (this.#own === undefined) throw new TypeError(`${this.keys.etcdKeys[0]} has not joined its queue`);
    return this.#own;
  }

  /** A key that goes with the others when it leaves, whether or not we know by then that it is there. */
  protected mayWrite(etcdKey: string): void {
    this.#strays = new Set([...this.#strays, etcdKey]);
  }

  #enqueue({ conditions = [], reads, elseReads = [] }: Enqueue): Promise<Enqueued> {
    const request = {
      compare: this.#mayJoin().concat(conditions),
      success: this.#puts().concat(reads),
      failure: [{ get: this.keys.etcdKeys[0] }, ...elseReads],
    };
    const exclusive = this.#queues;
    // Thousands of these may be under way: each keeps no more than it must.
    return trackedTxn(this.#kv, request, [this.#enqueues], this.#requestTimeoutMs, { exclusive }).then(
      (result) => this.#enqueued(result),
    );
  }

  #enqueued({ succeeded, responses }: TxnResult): Enqueued {
    const answers = responses.filter((response) => response.type === 'get');
    if (succeeded) {
      this.#found(answers);
      return { entered: true, answers };
    }
    const [own, ...others] = answers;
    // Our own key means that an earlier attempt had entered.
    if (own === undefined || own.kvs.length === 0) return { entered: false, answers: others };
    this.#found([own]);
    return { entered: true };
  }

  async #handOver(next: QueueEntry, reads: readonly Op[]): Promise<HandedOver> {
    const { succeeded, responses } = await trackedTxn(
      this.#kv,
      {
        compare: [...this.isOwn(), ...next.#mayJoin()],
        success: [...this.etcdKeys.map((key) => ({ delete: key })), ...next.#puts(), ...reads],
        failure: [{ get: next.keys.etcdKeys[0] }],
      },
      [this.#removals, next.#enqueues],
      this.#requestTimeoutMs,
      { exclusive: next.#queues },
    );
    const answers = responses.filter((response) => response.type === 'get');
    const isRepeated = !succeeded && answers[0]?.kvs.length === 1; // an earlier attempt had been applied
    if (!succeeded && !isRepeated) return { left: await this.leave() };
    next.#found(answers);
    return { left: true, joined: isRepeated ? { entered: true } : { entered: true, answers } };
  }

  #remove({ withAbortMark }: { withAbortMark: boolean }): Promise<boolean> {
    const mark: Op[] = withAbortMark ? [this.#abortMark()] : [];
    const strays: Op[] = [...this.#strays].map((key) => ({ delete: key }));
    const remove: Op[] = [...strays];
    for (const key of this.etcdKeys) if (!this.#strays.has(key)) remove.push({ delete: key });
    if (this.#own === undefined) {
      // Nothing of ours can be in etcd, unless the answer to an enqueue was lost.
      if (!this.#enqueues.outcomeLost) return Promise.resolve(true);
      return this.#kv.txn({ success: [...remove, ...mark] }, { idempotent: true }).then(() => true);
    }
    const looks = this.etcdKeys.map((key) => ({ get: key, options: { keysOnly: true } }));
    // A late attempt to enqueue may have made them anew; nobody else ever has keys of these names.
    const anew = this.#enqueues.outcomeLost ? remove : strays;
    const request = {
      compare: this.isOwn(),
      success: [...remove, ...mark],
      failure: [...looks, ...anew, ...mark],
    };
    return trackedTxn(this.#kv, request, [this.#removals], this.#requestTimeoutMs).then((result) =>
      result.succeeded ? true : this.#removeRest(result),
    );
  }

  /** A key of it was not there. @returns whether it has left all the same by doings of ours */
  async #removeRest({ responses }: TxnResult): Promise<boolean> {
    // It may have changed hands with itself meanwhile: a downgrade that was under way has removed one key.
    const wasThere = this.own.areShownBy(responses);
    await this.own.removeRest(responses);
    // Not there: removed by an earlier attempt of ours whose answer was lost, or by somebody else.
    return wasThere || this.#removals.outcomeLost;
  }

  /** Takes note of our own keys, all written at the revision at which the first was. */
  #found(answers: readonly GetResult[]): void {
    const { etcdKeys } = this.keys;
    const [first] = etcdKeys;
    for (const { kvs } of answers) {
      const revision = kvs.find((kv) => kv.key === first)?.createRevision;
      if (revision === undefined) continue;
      this.#own = new OwnKeys(this.#kv, etcdKeys, revision);
      return;
    }
    throw new NotFoundError(`key ${first} is missing though etcd accepted it`, {
      key: first,
      outcome: 'unknown',
    });
  }

  /** Those that its keys are in. No two of its contenders may be as old. */
  get #queues(): Range[] {
    return this.keys.etcdKeys.map((key) => ({ prefix: key.slice(0, key.lastIndexOf('/') + 1) }));
  }

  /** What holds only while it has not joined, and has not given up. */
  #mayJoin(): Compare[] {
    return [isAt(this.keys.abortKey, 0n), isAt(this.keys.etcdKeys[0], 0n)];
  }

  #puts(): Op[] {
    return this.keys.etcdKeys.map((key) => {
      return { put: { key, value: this.#description, session: this.#session } };
    });
  }

  /**
   * The mark shares the lease of the enqueue that it forbids: a shorter-lived one could go before
   * the enqueue arrives, and once this lease is gone the enqueue fails by itself.
   */
  #abortMark(): Op {
    return { put: { key: this.keys.abortKey, value: '', leaseId: this.#session.leaseId } };
  }
}

/** Whether etcd refused a put because its lease is gone: then nothing of the transaction was applied. */
export function isLeaseGone(error: unknown): boolean {
  const refused = error instanceof SessionLostError || error instanceof NotFoundError;
  return refused && error.outcome === 'not-applied';
}
