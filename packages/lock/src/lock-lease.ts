import type { Session, WaitOptions } from '@coord/client';
import type { SessionRef } from '@coord/client/internal';
import { onSessionEnd } from './session-end.js';

/**
 * The sessions that a lock's key may be attached to: one, or while the outcome of a move to another
 * is not known, several. The lock is only as safe as the weakest of them.
 */
export class LockLease {
  readonly #onEnd: () => void;
  readonly #refs = new Map<SessionRef, () => void>();

  /** @param onEnd called when one of the sessions is lost or closed */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  get isAlive(): boolean {
    for (const { session } of this.#refs.keys()) if (session.state !== 'alive') return false;
    return this.#refs.size > 0;
  }

  /** Whether no session is left that could keep the key alive. */
  get isGone(): boolean {
    for (const { session } of this.#refs.keys()) if (session.state === 'alive') return false;
    return true;
  }

  get remainingMs(): number {
    let remainingMs = this.#refs.size === 0 ? 0 : Number.POSITIVE_INFINITY;
    for (const { session } of this.#refs.keys()) remainingMs = Math.min(remainingMs, session.remainingMs);
    return remainingMs;
  }

  includes(session: Session): boolean {
    for (const ref of this.#refs.keys()) if (ref.session === session) return true;
    return false;
  }

  /** Any of them, to attach one more key to. @throws {TypeError} when there is none */
  get session(): Session {
    for (const { session } of this.#refs.keys()) return session;
    throw new TypeError('a lock without a session');
  }

  async keepAlive(options: WaitOptions): Promise<void> {
    await Promise.all([...this.#refs.keys()].map(({ session }) => session.keepAlive(options)));
  }

  add(ref: SessionRef): void {
    this.#refs.set(ref, onSessionEnd(ref.session, this.#onEnd));
  }

  remove(ref: SessionRef): void {
    this.#refs.get(ref)?.();
    if (this.#refs.delete(ref)) ref.release();
  }

  /** The key is known to be attached to this one. */
  keepOnly(ref: SessionRef): void {
    for (const other of [...this.#refs.keys()]) if (other !== ref) this.remove(other);
  }

  /** Passes the references on, without giving them back. */
  take(): SessionRef[] {
    const refs = [...this.#refs.keys()];
    for (const stopListening of this.#refs.values()) stopListening();
    this.#refs.clear();
    return refs;
  }

  /** Gives every session back. */
  drop(): void {
    for (const ref of [...this.#refs.keys()]) this.remove(ref);
  }
}
