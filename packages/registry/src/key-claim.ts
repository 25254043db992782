import { randomUUID } from 'node:crypto';
import {
  ConflictError,
  CoordError,
  type KeyValue,
  type KV,
  NotFoundError,
  type Session,
  SessionLostError,
} from '@coord/client';
import { withdrawalKey } from './keys.js';
import type { ServiceInfo } from './service-info.js';
import { decodeInstance, encodeInstance, type StoredInstance } from './service-value.js';

/** What is under a key: `instance` is absent when the value is none. */
export interface PresentKey {
  readonly kv: KeyValue;
  readonly instance: StoredInstance | undefined;
}

export interface PublishOptions {
  readonly signal: AbortSignal;
  /** Take the key over from whoever has it. */
  readonly replace: boolean;
  /** Create the key when it is absent. */
  readonly create: boolean;
}

/** Thrown when the key is ours, but somebody is deregistering it. */
export class LeavingError extends ConflictError {}

/**
 * One registration's claim on its key: writes the instance so that a lost answer, a late write or
 * another owner can do no harm.
 *
 * Every write compares the key's revision with the one last seen. Revisions only grow, so such a write is
 * harmless once the key has changed. Only "the key is absent" may come true again: an attempt to create
 * it whose answer was lost could still land after a deregistration. So it is sent once, is noted
 * until it is known what became of it, and can be withdrawn: see {@link withdraw}.
 */
export class KeyClaim {
  readonly key: string;
  readonly #kv: KV;
  readonly #nonce = randomUUID();
  #generation = 0;
  #firstRevision = 0n;
  #modRevision = 0n;
  /** Attempts to create the key whose outcome is unknown, with the lease that they would attach it to. */
  readonly #unresolved = new Map<number, bigint>();
  #mayBeThere = false;

  constructor(kv: KV, key: string) {
    this.#kv = kv;
    this.key = key;
  }

  /** The revision of the last write known to have been made under this claim; 0n before the first. */
  get modRevision(): bigint {
    return this.#modRevision;
  }

  /** The revision of the first write under this claim: what is older was never ours to mind. */
  get firstRevision(): bigint {
    return this.#firstRevision;
  }

  /** False while certainly nothing has been written under this claim. */
  get mayBeThere(): boolean {
    return this.#mayBeThere;
  }

  get hasUnresolvedWrites(): boolean {
    return this.#unresolved.size > 0;
  }

  owns(present: KeyValue): boolean {
    return readKey(present).instance?.author?.nonce === this.#nonce;
  }

  /** Takes note of what is under the key. @returns whether it is ours */
  observe({ kv, instance }: PresentKey): boolean {
    if (instance?.author?.nonce !== this.#nonce) return false;
    this.#unresolved.delete(instance.author.generation);
    if (kv.modRevision > this.#modRevision) this.#modRevision = kv.modRevision;
    return true;
  }

  /**
   * Writes the instance, attached to the session's lease.
   * @param currentInfo asked at each attempt; told what a foreign hand, such as an operator's, has made of our
   * value meanwhile. Undefined = there is nothing to write any more
   * @throws {ConflictError} when the key belongs to somebody else and `replace` is false
   * @throws {LeavingError} when somebody is deregistering this very registration
   * @throws {NotFoundError} when the key is absent and `create` is false
   */
  async publish(
    currentInfo: (found?: StoredInstance) => ServiceInfo | undefined,
    session: Session,
    { signal, replace, create }: PublishOptions,
  ): Promise<void> {
    let expected = this.#modRevision;
    let found: StoredInstance | undefined;
    for (;;) {
      if (expected === 0n && !create) throw new NotFoundError(`${this.key} is gone`, { key: this.key });
      const info = currentInfo(found);
      if (info === undefined) return;
      const generation = ++this.#generation;
      const result = await this.#write(info, generation, session, expected, signal);
      if (result.succeeded) {
        this.#modRevision = result.revision;
        if (this.#firstRevision === 0n) this.#firstRevision = result.revision;
        this.#mayBeThere = true;
        return;
      }
      const read = result.responses[0];
      const kv = read?.type === 'get' ? read.kvs[0] : undefined;
      if (kv === undefined) {
        // A withdrawn lease refuses for ever; nobody withdraws a registration that goes on.
        if (expected === 0n) throw new ConflictError(`${this.key} has been withdrawn`, { key: this.key });
        expected = 0n;
        continue;
      }
      const present = readKey(kv);
      if (this.observe(present)) {
        if (present.instance?.leaving) {
          throw new LeavingError(`${this.key} is being deregistered`, { key: this.key });
        }
        found = present.instance;
      } else if (!replace) {
        throw new ConflictError(`${this.key} has been registered by somebody else`, { key: this.key });
      }
      expected = kv.modRevision;
    }
  }

  async #write(
    info: ServiceInfo,
    generation: number,
    session: Session,
    expected: bigint,
    signal: AbortSignal,
  ) {
    const { key } = this;
    const creates = expected === 0n;
    const withdrawn = withdrawalKey(this.#nonce, session.leaseId);
    try {
      return await this.#kv.txn(
        {
          compare: [
            { key, target: 'mod', is: '=', to: expected },
            ...(creates ? [{ key: withdrawn, target: 'create', is: '=', to: 0n } as const] : []),
          ],
          success: [
            { put: { key, value: encodeInstance(info, { nonce: this.#nonce, generation }), session } },
          ],
          failure: [{ get: key }],
        },
        { signal, idempotent: !creates },
      );
    } catch (error) {
      if (!CoordError.is(error) || error.outcome === 'unknown') {
        this.#mayBeThere = true;
        if (creates) this.#unresolved.set(generation, session.leaseId);
      }
      throw error;
    }
  }

  /**
   * Makes sure that no attempt to create the key can still land: each compares a mark that is absent,
   * and from here on it is there for as long as the attempt's lease, without which it cannot land either.
   */
  async withdraw(): Promise<void> {
    for (const [generation, leaseId] of this.#unresolved) {
      try {
        await this.#kv.put(withdrawalKey(this.#nonce, leaseId), '', { leaseId, idempotent: true });
      } catch (error) {
        const leaseIsGone = error instanceof SessionLostError || error instanceof NotFoundError;
        if (!leaseIsGone) throw error;
      }
      this.#unresolved.delete(generation);
    }
  }
}

/** Reads what is under an instance's key, whatever it is. */
export function readKey(kv: KeyValue): PresentKey {
  try {
    return { kv, instance: decodeInstance(kv, '', '') };
  } catch {
    return { kv, instance: undefined };
  }
}
