import { type KeyValue, type KV, NotFoundError, type Op, type OpResult, type Session } from '@coord/client';
import type { Place } from './lock-key.js';
import type { KvSupport } from './lock-support.js';
import { type Enqueued, QueueEntry } from './queue-entry.js';
import type { QueueList } from './queue-place.js';

/** Where a contender stands. */
export interface Standing extends QueueList {
  /** False once a key of it is gone: the place is lost. */
  readonly present: boolean;
  /** Those that it waits for, the nearest of a lane first; nobody = it holds the lock. Of many, only the nearest. */
  readonly ahead: readonly KeyValue[];
  /** Whether `ahead` is all of them. */
  readonly isComplete: boolean;
  /** How many are before it; only told to one that joins. */
  readonly count?: number;
  /** Who holds the lock, as far as one of those before it certainly does. */
  readonly holder: KeyValue | undefined;
}

export type EnterResult =
  | { readonly entered: true }
  | { readonly entered: false; readonly holder?: KeyValue };

/** etcd's default for `--max-txn-ops`. */
const MAX_TXN_OPS = 128;

/**
 * So many from the head, a contender follows all that happens in its queue; the others look only now
 * and then. It bounds what a change in a long queue costs.
 */
export const NEAR = 32;

const NEWEST_FIRST = { by: 'create', order: 'descend' } as const;
const OLDEST_FIRST = { by: 'create', order: 'ascend' } as const;

/**
 * One contender for a lock that is served strictly in the order of its queues: once nobody older is
 * in one of its lanes, nobody ever will be again.
 */
export class Contender extends QueueEntry {
  readonly #kv: KV;
  readonly #place: Place;

  constructor(support: KvSupport, place: Place, session: Session, description: string) {
    super(support, place, session, description);
    this.#kv = support.client.kv;
    this.#place = place;
  }

  /** The only lane it waits in; undefined when there are several. */
  get onlyLane(): string | undefined {
    return this.#place.lanes.length === 1 ? this.#place.lanes[0] : undefined;
  }

  /** Whether one who follows its only lane also sees the contender itself go. */
  get isInItsLane(): boolean {
    return this.#place.etcdKeys.length === 1 && this.#ownUnder(this.onlyLane ?? '') === 1;
  }

  /** Joins the queue at its end. */
  join(): Promise<Standing> {
    return this.enqueue({ reads: this.#readsToJoin() }).then((joined) => this.#joined(joined));
  }

  #joined(joined: Enqueued): Standing | Promise<Standing> {
    if (joined.entered) return this.#standingOf(joined) ?? this.verify();
    const [key] = this.#place.etcdKeys;
    throw new NotFoundError(`key ${key} can not join its queue any more`, { key, outcome: 'unknown' });
  }

  /**
   * Gives the lock up and lets another contender join the queue, in one transaction; if that cannot
   * be, it only leaves. Safe to repeat.
   * @returns whether it left (false when it was certainly gone before), and where the other stands, if it has joined
   */
  async handOver(next: Contender): Promise<{ left: boolean; standing: Standing | undefined }> {
    const { left, joined } = await this.leaveTo(next, next.#readsToJoin());
    return { left, standing: joined && (next.#standingOf(joined) ?? (await next.verify())) };
  }

  /** Takes the lock if nobody is before it, and otherwise leaves no trace. */
  async enter(): Promise<EnterResult> {
    const { etcdKeys, lanes, holderLane } = this.#place;
    const { entered, answers } = await this.enqueue({
      conditions: lanes.map((prefix) => ({ key: { prefix }, target: 'create', is: '=', to: 0n })),
      reads: [{ get: etcdKeys[0] }],
      elseReads: (holderLane === undefined ? lanes : [holderLane]).map(oldest),
    });
    if (entered) return { entered };
    const holder = firstOf(answers ?? []);
    return holder === undefined ? { entered } : { entered, holder };
  }

  /** Looks where it stands. */
  async verify(): Promise<Standing> {
    const { etcdKeys, lanes, holderLane } = this.#place;
    const before = this.token - 1n;
    const looks: Op[] = lanes.map((prefix) => ({
      get: { prefix },
      options: { limit: this.#depth, sort: NEWEST_FIRST, maxCreateRevision: before },
    }));
    if (holderLane !== undefined) looks.push(oldest(holderLane));
    const own = etcdKeys.map((key) => ({ get: key, options: { keysOnly: true } }));
    const { revision, answers } = await this.#readInOrder([...looks, ...own]);
    const queues = gets(answers.slice(0, lanes.length));
    const ahead = queues.flatMap(({ kvs }) => kvs);
    return {
      revision,
      present: this.own.areShownBy(answers.slice(looks.length)),
      ahead,
      isComplete: queues.every(({ more }) => !more),
      holder: holderLane === undefined ? ahead[0] : firstOf(answers.slice(lanes.length, looks.length)),
    };
  }

  /** Where it stands by the answers to `#readsToJoin`; undefined if there are none. */
  #standingOf({ answers }: Enqueued): Standing | undefined {
    const { lanes, holderLane } = this.#place;
    const queues = answers?.slice(0, lanes.length) ?? [];
    if (queues.length < lanes.length) return undefined;
    const ahead = queues.flatMap(({ kvs }) => kvs.filter((kv) => kv.createRevision < this.token));
    const isComplete = queues.every(({ more }) => !more);
    const count = queues.reduce((sum, queue, i) => sum + queue.count - this.#ownUnder(lanes[i] ?? ''), 0);
    const certain = count === 1 || (isComplete && holderLane !== undefined && holderLane === this.onlyLane);
    const holder = certain ? ahead.at(-1) : undefined;
    return { revision: this.token, present: true, ahead, isComplete, count, holder };
  }

  /** Those before it and itself, if they can be read together with the write; otherwise only itself. */
  #readsToJoin(): Op[] {
    const { etcdKeys, lanes } = this.#place;
    const looks = lanes.map((lane) => this.#newest(lane)).concat(this.#lookAtOwn());
    return etcdKeys.length + looks.length <= MAX_TXN_OPS ? looks : [{ get: etcdKeys[0] }];
  }

  /**
   * At one revision if one transaction can hold them, otherwise the first ones no later than the last ones.
   * @returns the revision of the first ones
   */
  async #readInOrder(reads: readonly Op[]): Promise<{ revision: bigint; answers: OpResult[] }> {
    const answers: OpResult[] = [];
    let first: bigint | undefined;
    for (let i = 0; i < reads.length; i += MAX_TXN_OPS) {
      const { revision, responses } = await this.#kv.txn({ success: reads.slice(i, i + MAX_TXN_OPS) });
      first ??= revision;
      answers.push(...responses);
    }
    return { revision: first ?? 0n, answers };
  }

  /** How many of those before it are listed; of several lanes it only needs to know the nearest. */
  get #depth(): number {
    return this.onlyLane === undefined ? 1 : NEAR;
  }

  /** The newest of a lane that we may have just joined, and those before. */
  #newest(lane: string): Op {
    const limit = this.#ownUnder(lane) + this.#depth;
    return { get: { prefix: lane }, options: { limit, sort: NEWEST_FIRST } };
  }

  /** Unless the look at one of the lanes shows it. */
  #lookAtOwn(): Op[] {
    const { etcdKeys, lanes } = this.#place;
    return lanes.some((lane) => etcdKeys[0].startsWith(lane)) ? [] : [{ get: etcdKeys[0] }];
  }

  #ownUnder(lane: string): number {
    return this.#place.etcdKeys.filter((key) => key.startsWith(lane)).length;
  }
}

function oldest(prefix: string): Op {
  return { get: { prefix }, options: { limit: 1, sort: OLDEST_FIRST } };
}

function gets(answers: readonly OpResult[]) {
  return answers.filter((answer) => answer.type === 'get');
}

function firstOf(answers: readonly OpResult[]): KeyValue | undefined {
  return gets(answers).find(({ kvs }) => kvs.length > 0)?.kvs[0];
}
