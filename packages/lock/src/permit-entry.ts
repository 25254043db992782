import { ConflictError, type KV, type Session } from '@coord/client';
import { semaphoreFolders } from './lock-key.js';
import type { LockSupport } from './lock-support.js';
import { isAt } from './own-keys.js';
import { QueueEntry } from './queue-entry.js';
import {
  type PermitStanding,
  permitKeys,
  permitStanding,
  type SemaphoreState,
  semaphoreReads,
  semaphoreState,
} from './semaphore-state.js';

export interface PermitOrder {
  readonly name: string;
  readonly keyPrefix: string;
  readonly permits: number;
  readonly weight: number;
  /** The value of our key. */
  readonly description: string;
}

/** One request for permits: a key in the queue of a semaphore. */
export class PermitEntry extends QueueEntry {
  readonly #kv: KV;
  readonly #order: PermitOrder;
  readonly #limitKey: string;

  constructor(support: LockSupport, order: PermitOrder, session: Session) {
    const { keyPrefix, name, weight, description } = order;
    super(support, permitKeys(keyPrefix, name, weight, session.leaseId), session, description);
    this.#kv = support.client.kv;
    this.#order = order;
    this.#limitKey = semaphoreFolders(keyPrefix, name).limitKey;
  }

  /** Joins the queue at its end. @throws {ConflictError} when etcd has another number of permits */
  async join(): Promise<SemaphoreState> {
    const { keyPrefix, name, permits } = this.#order;
    for (;;) {
      const { entered, answers } = await this.enqueue({
        conditions: [{ key: this.#limitKey, target: 'value', is: '=', to: String(permits) }],
        reads: semaphoreReads(keyPrefix, name),
        elseReads: [{ get: this.#limitKey }],
      });
      if (entered) return answers === undefined ? this.look() : semaphoreState(answers, this.token);
      const limit = answers?.[0]?.kvs[0];
      if (limit !== undefined && limit.text() !== String(permits)) throw this.#otherPermits(limit.text());
      if (limit === undefined) await this.#writeLimit();
    }
  }

  /** Takes the permits if as many are free and nobody waits. @returns undefined then; otherwise what is in the way */
  async enter(): Promise<SemaphoreState | undefined> {
    const { keyPrefix, name, permits, weight } = this.#order;
    const { q } = semaphoreFolders(keyPrefix, name);
    for (;;) {
      const state = await this.look();
      if (state.limit !== undefined && state.permits !== permits) {
        throw this.#otherPermits(state.limit.text());
      }
      if (state.limit === undefined) await this.#writeLimit();
      const taken = state.requests.reduce((sum, request) => sum + request.weight, 0);
      if (taken + weight > permits) return state;
      const { entered } = await this.enqueue({
        // Nobody has come since we looked; if somebody left, all the better.
        conditions: [
          { key: this.#limitKey, target: 'value', is: '=', to: String(permits) },
          { key: { prefix: q }, target: 'create', is: '<', to: state.revision + 1n },
        ],
        reads: [{ get: this.etcdKeys[0] }],
      });
      if (entered) return undefined;
    }
  }

  async look(): Promise<SemaphoreState> {
    const { keyPrefix, name } = this.#order;
    const { responses, revision } = await this.#kv.txn({ success: semaphoreReads(keyPrefix, name) });
    return semaphoreState(responses, revision);
  }

  /**
   * Where it stands, unless that was seen before it joined.
   * @throws {ConflictError} when there are no longer so many permits at all
   */
  standing(state: SemaphoreState): (PermitStanding & { readonly isGranted: boolean }) | undefined {
    if (state.revision < this.token) return undefined;
    const { permits, weight, name } = this.#order;
    // Should somebody have deleted the limit, what it was when we joined holds.
    const limit = state.permits ?? permits;
    if (weight > limit) {
      throw new ConflictError(
        `semaphore "${name}" now has ${limit} permits, and ${weight} were asked for: ask for fewer`,
        { key: name },
      );
    }
    const standing = permitStanding(state, { etcdKey: this.etcdKeys[0], createRevision: this.token });
    return { ...standing, isGranted: standing.present && standing.needed <= limit };
  }

  /** The first one says how many there are. */
  async #writeLimit(): Promise<void> {
    const put = { key: this.#limitKey, value: String(this.#order.permits) };
    const request = { compare: [isAt(this.#limitKey, 0n)], success: [{ put }] };
    await this.#kv.txn(request, { idempotent: true });
  }

  #otherPermits(present: string): ConflictError {
    const { name, permits } = this.#order;
    return new ConflictError(
      `semaphore "${name}" has ${present} permits in etcd, and ${permits} were given here: ` +
        `give ${present} here too, or change it for all with setPermits(${permits})`,
      { key: name },
    );
  }
}
