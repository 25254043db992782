import { AbortedError, ClosedError, type CoordClient, type Session } from '@coord/client';
import { internalsOf, type SessionRef } from '@coord/client/internal';
import { onSessionEnd } from './session-end.js';

const KIND = 'registry';

/** The lease that a registration lives on: one for all of a client with the same TTL, and a new one when it is lost. */
export class RegistrationLease {
  readonly #client: CoordClient;
  readonly #ttlMs: number;
  readonly #onEnd: () => void;
  #ref: SessionRef | undefined;
  #stopListening: () => void = () => undefined;

  /** @param onEnd called when the borrowed session is lost, or its client closes */
  constructor(client: CoordClient, ttlMs: number, onEnd: () => void) {
    this.#client = client;
    this.#ttlMs = ttlMs;
    this.#onEnd = onEnd;
  }

  /** @throws {ClosedError} when there is none, or none any more */
  get session(): Session {
    if (this.#ref === undefined) throw new ClosedError('the registration has no session any more');
    return this.#ref.session;
  }

  /** Borrows a live one, unless it has one. @throws {AbortedError} when the signal fires meanwhile */
  async borrow(signal: AbortSignal): Promise<void> {
    if (this.#ref?.session.state === 'alive') return;
    this.release();
    const ref = await internalsOf(this.#client).borrowSession(KIND, this.#ttlMs, { signal });
    if (signal.aborted) {
      ref.release();
      throw new AbortedError('ended meanwhile');
    }
    this.#ref = ref;
    this.#stopListening = onSessionEnd(ref.session, this.#onEnd);
  }

  /** etcd does not know the lease: lets the session find out, too, so that the next one is a fresh one. */
  async doubt(signal: AbortSignal): Promise<void> {
    await this.#ref?.session.keepAlive({ signal }).catch(() => undefined);
  }

  release(): void {
    this.#stopListening();
    this.#ref?.release();
    this.#ref = undefined;
  }
}
