import {
  type Compare,
  CoordError,
  type KV,
  NotFoundError,
  type Op,
  type OpResult,
  type Session,
  SessionLostError,
  type WaitOptions,
} from '@coord/client';
import type { Hold } from './hold.js';
import type { EntryKeys } from './lock-key.js';
import type { LockSupport } from './lock-support.js';
import { isUnreachable } from './persist.js';
import { type Sending, trackedTxn } from './tracked-txn.js';

type GetResult = Extract<OpResult, { type: 'get' }>;

/** One of our keys, as far as we know it. */
export interface OwnKey {
  readonly etcdKey: string;
  readonly createRevision: bigint;
  /** Guards moves to another lease against late repetitions. */
  readonly modRevision: bigint;
}

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
  #etcdKeys: readonly [string, ...string[]];
  /** Our keys, once they are known to be in etcd. */
  #own: readonly OwnKey[] | undefined;
  #token: bigint | undefined;
  /** Keys that may come to be there without our knowing. */
  readonly #strays = new Set<string>();
  readonly #enqueues: Sending = { outcomeLost: false };
  readonly #removals: Sending = { outcomeLost: false };
  #enqueueing: Promise<unknown> | undefined;
  #isLeaving = false;

  /** @param description the value of our keys */
  constructor(
    { client, requestTimeoutMs }: LockSupport,
    keys: EntryKeys,
    session: Session,
    description: string,
  ) {
    this.#kv = client.kv;
    this.#requestTimeoutMs = requestTimeoutMs;
    this.keys = keys;
    this.#etcdKeys = keys.etcdKeys;
    this.#session = session;
    this.#description = description;
  }

  get name(): string {
    return this.keys.name;
  }

  get etcdKeys(): readonly [string, ...string[]] {
    return this.#etcdKeys;
  }

  /** The create revision of its keys: its place in the queue; undefined while it has none. */
  get revision(): bigint | undefined {
    return this.#own?.[0]?.createRevision;
  }

  get token(): bigint {
    const token = this.#token ?? this.revision;
    if (token === undefined) throw new TypeError(`${this.#etcdKeys[0]} has not joined its queue`);
    return token;
  }

  /** Writes its keys, all or none. */
  enqueue(request: Enqueue): Promise<Enqueued> {
    const enqueueing = this.#enqueue(request);
    this.#enqueueing = enqueueing;
    return enqueueing;
  }

  async isPresent(options?: WaitOptions): Promise<boolean> {
    const own = this.#joined();
    if (own.length === 1) {
      const kv = await this.#kv.get(this.etcdKeys[0], { keysOnly: true, ...options });
      return kv?.createRevision === this.token;
    }
    const { responses } = await this.#kv.txn(
      { success: this.etcdKeys.map((key) => ({ get: key, options: { keysOnly: true } })) },
      options,
    );
    return this.isShownBy(responses);
  }

  /** Whether the answers to one read for each of its keys show that they are all there. */
  isShownBy(answers: readonly OpResult[]): boolean {
    const own = this.#joined();
    return own.every(({ createRevision }, i) => {
      const answer = answers[i];
      return answer?.type === 'get' && answer.kvs[0]?.createRevision === createRevision;
    });
  }

  /**
   * Leaves the queue or gives the lock up. Never touches a successor's key, and when it has
   * resolved, no enqueue of this entry can succeed any more.
   * @returns false when a key was certainly gone before
   */
  async leave(): Promise<boolean> {
    this.#isLeaving = true;
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
      if (!CoordError.is(error) || error.outcome === 'unknown' || isUnreachable(error)) throw error;
      // Refused as a whole: the other's lease is gone, or there is no space for its keys.
      return { left: await this.leave() };
    }
  }

  async moveTo(session: Session): Promise<boolean> {
    for (;;) {
      const own = this.#joined();
      const { succeeded, responses, revision } = await this.#kv.txn(
        {
          compare: own.map(({ etcdKey, modRevision }) => {
            return { key: etcdKey, target: 'mod', is: '=', to: modRevision };
          }),
          success: own.map(({ etcdKey }) => {
            return { put: { key: etcdKey, value: '', ignoreValue: true, session } };
          }),
          failure: own.map(({ etcdKey }) => ({ get: etcdKey })),
        },
        { idempotent: true },
      );
      if (succeeded) {
        this.#own = own.map((key) => ({ ...key, modRevision: revision }));
        return true;
      }
      if (!this.isShownBy(responses)) return false;
      // An earlier attempt of ours, or somebody wrote to our keys.
      const present = responses.map((response) => (response.type === 'get' ? response.kvs[0] : undefined));
      this.#own = own.map((key, i) => ({ ...key, modRevision: present[i]?.modRevision ?? key.modRevision }));
      if (present.every((kv) => kv?.leaseId === session.leaseId)) return true;
    }
  }

  isOwn(): readonly [Compare, ...Compare[]] {
    const [first, ...others] = this.#joined().map((key) => isAt(key.etcdKey, key.createRevision));
    if (first === undefined) throw new TypeError('an entry without keys');
    return [first, ...others];
  }

  /** Its keys in etcd. */
  protected get own(): readonly OwnKey[] {
    return this.#joined();
  }

  /** Takes note that others of its keys are in etcd now. */
  protected becomes(first: OwnKey, others: readonly OwnKey[], token: bigint): void {
    this.#own = [first, ...others];
    this.#etcdKeys = [first.etcdKey, ...others.map(({ etcdKey }) => etcdKey)];
    this.#token = token;
  }

  /** A key that goes with the others when it leaves, whether or not we know by then that it is there. */
  protected mayWrite(etcdKey: string): void {
    this.#strays.add(etcdKey);
  }

  async #enqueue({ conditions = [], reads, elseReads = [] }: Enqueue): Promise<Enqueued> {
    const { succeeded, responses } = await trackedTxn(
      this.#kv,
      {
        compare: [...this.#mayJoin(), ...conditions],
        success: [...this.#puts(), ...reads],
        failure: [{ get: this.keys.etcdKeys[0] }, ...elseReads],
      },
      [this.#enqueues],
      this.#requestTimeoutMs,
    );
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
    );
    const answers = responses.filter((response) => response.type === 'get');
    const isRepeated = !succeeded && answers[0]?.kvs.length === 1; // an earlier attempt had been applied
    if (!succeeded && !isRepeated) return { left: await this.leave() };
    next.#found(answers);
    return { left: true, joined: isRepeated ? { entered: true } : { entered: true, answers } };
  }

  async #remove({ withAbortMark }: { withAbortMark: boolean }): Promise<boolean> {
    const mark: Op[] = withAbortMark ? [this.#abortMark()] : [];
    const remove: Op[] = [...new Set([...this.#etcdKeys, ...this.#strays])].map((key) => ({ delete: key }));
    if (this.#own === undefined) {
      // Nothing of ours can be in etcd, unless the answer to an enqueue was lost.
      if (!this.#enqueues.outcomeLost) return true;
      await this.#kv.txn({ success: [...remove, ...mark] }, { idempotent: true });
      return true;
    }
    const looks = this.etcdKeys.map((key) => ({ get: key, options: { keysOnly: true } }));
    const strays = [...this.#strays].map((key) => ({ delete: key }));
    const { succeeded, responses } = await trackedTxn(
      this.#kv,
      { compare: this.isOwn(), success: [...remove, ...mark], failure: [...looks, ...strays, ...mark] },
      [this.#removals],
      this.#requestTimeoutMs,
    );
    if (!succeeded) await this.#removeRest(responses);
    // Not there: removed by an earlier attempt of ours whose answer was lost, or by somebody else.
    return succeeded || this.#removals.outcomeLost;
  }

  /** Somebody has removed one of our keys: those that are left must not block others. */
  async #removeRest(looks: readonly OpResult[]): Promise<void> {
    const left = this.#joined().filter(({ createRevision }, i) => {
      const look = looks[i];
      return look?.type === 'get' && look.kvs[0]?.createRevision === createRevision;
    });
    for (const { etcdKey, createRevision } of left) {
      const request = { compare: [isAt(etcdKey, createRevision)], success: [{ delete: etcdKey }] };
      await this.#kv.txn(request, { idempotent: true });
    }
  }

  /** Takes note of our own keys, all written at the revision at which the first was. */
  #found(answers: readonly GetResult[]): void {
    const [first] = this.etcdKeys;
    for (const { kvs } of answers) {
      const revision = kvs.find((kv) => kv.key === first)?.createRevision;
      if (revision === undefined) continue;
      this.#own = this.etcdKeys.map((etcdKey) => {
        return { etcdKey, createRevision: revision, modRevision: revision };
      });
      return;
    }
    throw new NotFoundError(`key ${first} is missing though etcd accepted it`, {
      key: first,
      outcome: 'unknown',
    });
  }

  /** What holds only while it has not joined, and has not given up. */
  #mayJoin(): Compare[] {
    return [isAt(this.keys.etcdKeys[0], 0n), isAt(this.keys.abortKey, 0n)];
  }

  #puts(): Op[] {
    return this.keys.etcdKeys.map((key) => {
      return { put: { key, value: this.#description, session: this.#session } };
    });
  }

  #joined(): readonly OwnKey[] {
    if (this.#own === undefined) throw new TypeError(`${this.etcdKeys[0]} has not joined its queue`);
    return this.#own;
  }

  /**
   * The mark shares the lease of the enqueue that it forbids: a shorter-lived one could go before
   * the enqueue arrives, and once this lease is gone the enqueue fails by itself.
   */
  #abortMark(): Op {
    return { put: { key: this.keys.abortKey, value: '', leaseId: this.#session.leaseId } };
  }
}

/** The compare that holds while the key was created at this revision; 0n = while it is not there. */
export function isAt(key: string, createRevision: bigint): Compare {
  return { key, target: 'create', is: '=', to: createRevision };
}

/** Whether etcd refused a put because its lease is gone: then nothing of the transaction was applied. */
export function isLeaseGone(error: unknown): boolean {
  return (
    error instanceof SessionLostError || (error instanceof NotFoundError && error.outcome === 'not-applied')
  );
}
