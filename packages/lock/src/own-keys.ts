import type { Compare, KV, OpResult, Session, WaitOptions } from '@coord/client';

/** One of our keys, as far as we know it. */
export interface OwnKey {
  readonly etcdKey: string;
  readonly createRevision: bigint;
  /** Guards changes against late repetitions. */
  readonly modRevision: bigint;
}

/** The keys of one contender that are in etcd: together they are its place, or its hold. */
export class OwnKeys {
  readonly #kv: KV;
  #first: OwnKey;
  #others: readonly OwnKey[];
  #token: bigint;

  /** @param revision at which all of them were written */
  constructor(kv: KV, [first, ...others]: readonly [string, ...string[]], revision: bigint) {
    const written = (etcdKey: string) => ({ etcdKey, createRevision: revision, modRevision: revision });
    this.#kv = kv;
    this.#first = written(first);
    this.#others = others.map(written);
    this.#token = revision;
  }

  get first(): OwnKey {
    return this.#first;
  }

  get token(): bigint {
    return this.#token;
  }

  get etcdKeys(): readonly [string, ...string[]] {
    return [this.#first.etcdKey, ...this.#others.map(({ etcdKey }) => etcdKey)];
  }

  /** Takes note that others are in etcd now. */
  become(first: OwnKey, others: readonly OwnKey[], token: bigint): void {
    this.#first = first;
    this.#others = others;
    this.#token = token;
  }

  /** The compares that hold only while all of them are there, and ours. */
  areOwn(): readonly [Compare, ...Compare[]] {
    const compare = ({ etcdKey, createRevision }: OwnKey) => isAt(etcdKey, createRevision);
    return [compare(this.#first), ...this.#others.map(compare)];
  }

  /** Asks etcd whether all of them are there. */
  async arePresent(options?: WaitOptions): Promise<boolean> {
    const { etcdKey, createRevision } = this.#first;
    if (this.#others.length === 0) {
      const kv = await this.#kv.get(etcdKey, { keysOnly: true, ...options });
      return kv?.createRevision === createRevision;
    }
    const looks = this.#all.map((key) => ({ get: key.etcdKey, options: { keysOnly: true } }));
    const { responses } = await this.#kv.txn({ success: looks }, options);
    return this.areShownBy(responses);
  }

  /** Whether the answers to one read for each of them show that they are all there. */
  areShownBy(answers: readonly OpResult[]): boolean {
    return this.#all.every((key, i) => isShownBy(key, answers[i]));
  }

  /** Moves all of them to another lease. Safe to repeat. @returns false when one is gone */
  async moveTo(session: Session): Promise<boolean> {
    for (;;) {
      const all = this.#all;
      const { succeeded, responses, revision } = await this.#kv.txn(
        {
          compare: all.map(({ etcdKey, modRevision }) => {
            return { key: etcdKey, target: 'mod', is: '=', to: modRevision };
          }),
          success: all.map(({ etcdKey }) => {
            return { put: { key: etcdKey, value: '', ignoreValue: true, session } };
          }),
          failure: all.map(({ etcdKey }) => ({ get: etcdKey })),
        },
        { idempotent: true },
      );
      if (succeeded) {
        this.#note(() => revision);
        return true;
      }
      if (!this.areShownBy(responses)) return false;
      // An earlier attempt of ours, or somebody wrote to our keys.
      const present = responses.map((response) => (response.type === 'get' ? response.kvs[0] : undefined));
      this.#note((i) => present[i]?.modRevision);
      if (present.every((kv) => kv?.leaseId === session.leaseId)) return true;
    }
  }

  /**
   * Somebody has removed one of them: those that are left must not block others.
   * @param looks answers to one read for each of them
   */
  async removeRest(looks: readonly OpResult[]): Promise<void> {
    const left = this.#all.filter((key, i) => isShownBy(key, looks[i]));
    for (const { etcdKey, createRevision } of left) {
      const request = { compare: [isAt(etcdKey, createRevision)], success: [{ delete: etcdKey }] };
      await this.#kv.txn(request, { idempotent: true });
    }
  }

  get #all(): readonly OwnKey[] {
    return [this.#first, ...this.#others];
  }

  #note(modRevision: (index: number) => bigint | undefined): void {
    const noted = (key: OwnKey, i: number) => ({ ...key, modRevision: modRevision(i) ?? key.modRevision });
    this.#first = noted(this.#first, 0);
    this.#others = this.#others.map((key, i) => noted(key, i + 1));
  }
}

/** The compare that holds while the key was created at this revision; 0n = while it is not there. */
export function isAt(key: string, createRevision: bigint): Compare {
  return { key, target: 'create', is: '=', to: createRevision };
}

function isShownBy({ createRevision }: OwnKey, answer: OpResult | undefined): boolean {
  return answer?.type === 'get' && answer.kvs[0]?.createRevision === createRevision;
}
