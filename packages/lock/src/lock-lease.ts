import type { Session, WaitOptions } from '@coord/client';
import type { SessionRef } from '@coord/client/internal';
import { onSessionEnd } from './session-end.js';

/** A session that was borrowed, and what listens to its end. */
interface Borrowed {
  readonly ref: SessionRef;
  readonly stopListening: () => void;
}

/**
 * The sessions that a lock's key may be attached to: one, or while the outcome of a move to another
 * is not known, several. The lock is only as safe as the weakest of them.
 */
export class LockLease {
  readonly #onEnd: () => void;
  #borrowed: readonly Borrowed[] = NONE;

  /** @param onEnd called when one of the sessions is lost or closed */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  get isAlive(): boolean {
    for (const { ref } of this.#borrowed) if (ref.session.state !== 'alive') return false;
    return this.#borrowed.length > 0;
  }

  /** Whether no session is left that could keep the key alive. */
  get isGone(): boolean {
    for (const { ref } of this.#borrowed) if (ref.session.state === 'alive') return false;
    return true;
  }

  get remainingMs(): number {
    let remainingMs = this.#borrowed.length === 0 ? 0 : Number.POSITIVE_INFINITY;
    for (const { ref } of this.#borrowed) remainingMs = Math.min(remainingMs, ref.session.remainingMs);
    return remainingMs;
  }

  includes(session: Session): boolean {
    return this.#borrowed.some(({ ref }) => ref.session === session);
  }

  /** Any of them, to attach one more key to. @throws {TypeError} when there is none */
  get session(): Session {
    const [any] = this.#borrowed;
    if (any === undefined) throw new TypeError('a lock without a session');
    return any.ref.session;
  }

  async keepAlive(options: WaitOptions): Promise<void> {
    await Promise.all(this.#borrowed.map(({ ref }) => ref.session.keepAlive(options)));
  }

  add(ref: SessionRef): void {
    const stopListening = onSessionEnd(ref.session, () => this.#onEnd());
    this.#borrowed = [...this.#borrowed, { ref, stopListening }];
  }

  remove(ref: SessionRef): void {
    const borrowed = this.#borrowed.find((each) => each.ref === ref);
    if (borrowed === undefined) return;
    this.#borrowed = this.#borrowed.filter((each) => each !== borrowed);
    borrowed.stopListening();
    ref.release();
  }

  /** The key is known to be attached to this one. */
  keepOnly(ref: SessionRef): void {
    for (const other of this.#borrowed) if (other.ref !== ref) this.remove(other.ref);
  }

  /** Passes the references on, without giving them back. */
  take(): SessionRef[] {
    const borrowed = this.#borrowed;
    this.#borrowed = NONE;
    for (const { stopListening } of borrowed) stopListening();
    return borrowed.map(({ ref }) => ref);
  }

  /** Gives every session back. */
  drop(): void {
    for (const ref of this.take()) ref.release();
  }
}

const NONE: readonly Borrowed[] = [];
