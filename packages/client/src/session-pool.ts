import type { BorrowOptions, SessionRef } from './internals.js';
import type { WaitOptions } from './kv.js';
import { type LeaseSession, type OpenOptions, wholeSeconds } from './lease-session.js';
import { assertValid, checkTtlMs } from './validation.js';
import { Wait } from './wait.js';

interface Shared {
  readonly opening: Promise<LeaseSession>;
  session: LeaseSession | undefined;
  references: number;
  idle: NodeJS.Timeout | undefined;
}

/**
 * Sessions that locks and registrations share, one for each kind, whole-second TTL and renewal interval.
 *
 * Kept for one TTL after the last reference. A lost session is never lent again; who borrowed it
 * hears of the loss from the session itself.
 */
export class SessionPool {
  readonly #open: (options: OpenOptions) => Promise<LeaseSession>;
  readonly #shared = new Map<string, Shared>();

  constructor(open: (options: OpenOptions) => Promise<LeaseSession>) {
    this.#open = open;
  }

  /** Borrows one that is open. @returns undefined when there is none */
  borrowOpen(kind: string, ttlMs: number, renewIntervalMs?: number): SessionRef | undefined {
    assertValid(checkTtlMs([], 'ttlMs', ttlMs));
    const key = keyOf(kind, wholeSeconds(ttlMs), renewIntervalMs);
    const present = this.#shared.get(key);
    if (present?.session?.state !== 'alive') return undefined;
    present.references++;
    clearTimeout(present.idle);
    return this.#reference(key, present, present.session);
  }

  async borrow(kind: string, ttlMs: number, options?: BorrowOptions): Promise<SessionRef> {
    const { renewIntervalMs } = options ?? {};
    const present = this.borrowOpen(kind, ttlMs, renewIntervalMs);
    if (present !== undefined) return present;
    const seconds = wholeSeconds(ttlMs);
    const key = keyOf(kind, seconds, renewIntervalMs);
    const wanted = { ttlMs: seconds * 1_000, renewIntervalMs };
    using wait = new Wait(options, `session for ${kind}`);
    for (;;) {
      const shared = this.#sharedFor(key, wanted);
      shared.references++;
      clearTimeout(shared.idle);
      try {
        const session = await wait.race(shared.opening);
        if (session.state === 'alive') return this.#reference(key, shared, session);
      } catch (error) {
        this.#giveBack(key, shared);
        throw error;
      }
      this.#giveBack(key, shared); // lost between the grant and here
    }
  }

  /** Closes every session. */
  async close(options: WaitOptions): Promise<void> {
    const sessions = [...this.#shared.values()];
    this.#shared.clear();
    for (const { idle } of sessions) clearTimeout(idle);
    await Promise.all(
      sessions.map(({ opening }) => opening.then((session) => session.close(options)).catch(() => undefined)),
    );
  }

  #sharedFor(key: string, options: OpenOptions): Shared {
    const present = this.#shared.get(key);
    if (present && (present.session === undefined || present.session.state === 'alive')) return present;
    const opening = this.#open(options);
    const shared: Shared = { opening, session: undefined, references: 0, idle: undefined };
    this.#shared.set(key, shared);
    opening.then(
      (session) => {
        shared.session = session;
        session.signal.addEventListener('abort', () => this.#forget(key, shared), { once: true });
      },
      () => this.#forget(key, shared),
    );
    return shared;
  }

  #reference(key: string, shared: Shared, session: LeaseSession): SessionRef {
    let released = false;
    return {
      session,
      release: () => {
        if (released) return;
        released = true;
        this.#giveBack(key, shared);
      },
    };
  }

  #giveBack(key: string, shared: Shared): void {
    shared.references--;
    if (shared.references > 0 || this.#shared.get(key) !== shared) return;
    shared.idle = setTimeout(() => this.#closeIdle(key, shared), shared.session?.ttlMs ?? 0);
    shared.idle.unref();
  }

  #closeIdle(key: string, shared: Shared): void {
    if (shared.references > 0) return;
    this.#forget(key, shared);
    shared.opening.then((session) => session.close()).catch(() => undefined);
  }

  #forget(key: string, shared: Shared): void {
    clearTimeout(shared.idle);
    if (this.#shared.get(key) === shared) this.#shared.delete(key);
  }
}

function keyOf(kind: string, seconds: number, renewIntervalMs: number | undefined): string {
  return `${kind}:${seconds}:${renewIntervalMs ?? ''}`;
}
