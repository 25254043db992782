import { type KeyValue, type KV, NotFoundError, type Op, type OpResult, type Session } from '@coord/client';
import type { Place } from './lock-key.js';
import type { LockSupport } from './lock-support.js';
import { QueueEntry } from './queue-entry.js';

/** Where a contender stands. */
export interface Standing {
  /** False once a key of it is gone: the place is lost. */
  readonly present: boolean;
  /** A contender that is before it and that it waits for; undefined = it holds the lock. */
  readonly predecessor: KeyValue | undefined;
  /** Who holds the lock, as far as one of those before it certainly does. */
  readonly holder: KeyValue | undefined;
}

/** The first answer of a joining contender. */
export interface Joined {
  readonly predecessor: KeyValue | undefined;
  /** How many are before it. */
  readonly ahead: number;
}

export type EnterResult =
  | { readonly entered: true }
  | { readonly entered: false; readonly holder?: KeyValue };

/** etcd's default for `--max-txn-ops`. */
const MAX_TXN_OPS = 128;

const NEWEST_FIRST = { by: 'create', order: 'descend' } as const;
const OLDEST_FIRST = { by: 'create', order: 'ascend' } as const;

/**
 * One contender for a lock that is served strictly in the order of its queues: once nobody older is
 * in one of its lanes, nobody ever will be again.
 */
export class Contender extends QueueEntry {
  readonly #kv: KV;
  readonly #place: Place;

  constructor(support: LockSupport, place: Place, session: Session, description: string) {
    super(support, place, session, description);
    this.#kv = support.client.kv;
    this.#place = place;
  }

  /** Joins the queue at its end. */
  async join(): Promise<Joined> {
    const { etcdKeys, lanes } = this.#place;
    const looks = [...lanes.map((lane) => this.#newest(lane)), ...this.#lookAtOwn()];
    const atOnce = etcdKeys.length + looks.length <= MAX_TXN_OPS;
    const { entered, answers } = await this.enqueue({
      reads: atOnce ? looks : [{ get: etcdKeys[0] }],
    });
    if (!entered) {
      const error = `key ${etcdKeys[0]} can not join its queue any more`;
      throw new NotFoundError(error, { key: etcdKeys[0], outcome: 'unknown' });
    }
    if (answers === undefined || !atOnce) {
      const { predecessor } = await this.verify();
      return { predecessor, ahead: predecessor === undefined ? 0 : 1 };
    }
    const queues = answers.slice(0, lanes.length);
    return {
      predecessor: firstOf(queues, (kv) => kv.createRevision < this.token),
      ahead: queues.reduce((ahead, { count }, i) => ahead + count - this.#ownUnder(lanes[i] ?? ''), 0),
    };
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
      options: { limit: 1, sort: NEWEST_FIRST, maxCreateRevision: before },
    }));
    if (holderLane !== undefined) looks.push(oldest(holderLane));
    const own = etcdKeys.map((key) => ({ get: key, options: { keysOnly: true } }));
    const answers = await this.#readInOrder([...looks, ...own]);
    const predecessor = firstOf(answers.slice(0, lanes.length));
    const present = this.isShownBy(answers.slice(looks.length));
    const holder =
      holderLane === undefined ? predecessor : firstOf(answers.slice(lanes.length, looks.length));
    return { present, predecessor, holder };
  }

  /** At one revision if one transaction can hold them, otherwise the first ones no later than the last ones. */
  async #readInOrder(reads: readonly Op[]): Promise<OpResult[]> {
    const answers: OpResult[] = [];
    for (let i = 0; i < reads.length; i += MAX_TXN_OPS) {
      const { responses } = await this.#kv.txn({ success: reads.slice(i, i + MAX_TXN_OPS) });
      answers.push(...responses);
    }
    return answers;
  }

  /** The newest of a lane that we may have just joined, and the one before. */
  #newest(lane: string): Op {
    return { get: { prefix: lane }, options: { limit: this.#ownUnder(lane) + 1, sort: NEWEST_FIRST } };
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

function firstOf(
  answers: readonly OpResult[],
  matches: (kv: KeyValue) => boolean = () => true,
): KeyValue | undefined {
  for (const answer of answers) {
    const found = answer.type === 'get' ? answer.kvs.find(matches) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}
