import type { Session } from '@coord/client';
import { backoffDelayMs, Cancellation, delay, type SessionRef } from '@coord/client/internal';
import { LockExpiredError } from './errors.js';
import type { Grant } from './hold.js';
import type { LockSupport } from './lock-support.js';
import { isLeaseGone, type QueueEntry } from './queue-entry.js';
import { onSessionEnd } from './session-end.js';

/** What every acquisition needs. */
export interface Attempt {
  readonly name: string;
  readonly ttlMs: number;
  /** Ends the acquisition with its reason. */
  readonly stop: Cancellation;
}

export interface Strategy<E extends QueueEntry> {
  /** Borrows a session that is to be opened first. */
  borrow(): Promise<SessionRef>;
  /** A new entry, which has not written anything yet. */
  enter(session: Session): E;
  /** Resolves when the entry holds the lock. @param ended aborts when there is no point in going on */
  win(entry: E, session: Session, ended: Cancellation): Promise<void>;
}

/** An entry that has not yet joined by itself, and its session. */
export interface Prepared<E extends QueueEntry> {
  readonly entry: E;
  readonly ref: SessionRef;
}

/**
 * A session that ends before the entry has a place costs nothing but a fresh start.
 * @param prepared what to try with first
 */
export function untilSessionHolds<E extends QueueEntry>(
  support: LockSupport,
  request: Attempt,
  strategy: Strategy<E>,
  prepared?: Prepared<E>,
): Promise<Grant<E>> {
  const first = prepared ?? atHand(support, request, strategy);
  if (first === undefined) return tryUntilSessionHolds(support, request, strategy, 1);
  // Nearly always this is all; then it should not cost more.
  return tryWith(first, support, request, strategy).then(
    (grant) => grant ?? tryUntilSessionHolds(support, request, strategy, 2),
  );
}

/** @param attempt from 1; before all but the first there is a pause */
async function tryUntilSessionHolds<E extends QueueEntry>(
  support: LockSupport,
  request: Attempt,
  strategy: Strategy<E>,
  attempt: number,
): Promise<Grant<E>> {
  for (let next = attempt; ; next++) {
    if (next > 1) {
      await delay(backoffDelayMs(next - 1, support.backoff), request.stop.signal).catch(() => undefined);
      request.stop.throwIfAborted();
    }
    const grant = await tryWith(await prepare(request, strategy), support, request, strategy);
    if (grant !== undefined) return grant;
  }
}

/** Nearly always the session is open already. */
function atHand<E extends QueueEntry>(
  support: LockSupport,
  request: Attempt,
  strategy: Strategy<E>,
): Prepared<E> | undefined {
  if (request.stop.aborted) return undefined;
  const ref = support.borrowOpenSession(request.ttlMs);
  return ref && { ref, entry: strategy.enter(ref.session) };
}

async function prepare<E extends QueueEntry>(request: Attempt, strategy: Strategy<E>): Promise<Prepared<E>> {
  const ref = await strategy.borrow().catch((error: unknown) => {
    throw request.stop.aborted ? request.stop.reason : error;
  });
  return { ref, entry: strategy.enter(ref.session) };
}

/** @returns undefined when the session ended before the entry had a place */
async function tryWith<E extends QueueEntry>(
  { ref, entry }: Prepared<E>,
  support: LockSupport,
  request: Attempt,
  strategy: Strategy<E>,
): Promise<Grant<E> | undefined> {
  const { session } = ref;
  const ended = new Cancellation();
  const stopForwarding = request.stop.onAbort(() => ended.abort(request.stop.reason));
  const stopListening = onSessionEnd(session, () => ended.abort(session.signal.reason));
  try {
    await strategy.win(entry, session, ended);
    ended.throwIfAborted();
    return { hold: entry, refs: [ref] };
  } catch (error) {
    abandon(entry, ref, support);
    request.stop.throwIfAborted();
    if (session.state === 'alive' && !isLeaseGone(error)) throw error;
    if (entry.revision !== undefined) {
      throw new LockExpiredError(request.name, 'its session ended while it waited in the queue', {
        cause: error,
      });
    }
    // etcd may know before the session does; a keepalive tells it, so that it is not lent again.
    await session.keepAlive({ signal: request.stop.signal }).catch(() => undefined);
    return undefined;
  } finally {
    stopForwarding();
    stopListening();
  }
}

export function lostItsPlace(name: string): LockExpiredError {
  return new LockExpiredError(name, 'its key was deleted while it waited in the queue');
}

/** Leaves no key and no reference behind; nobody waits for it. */
function abandon(entry: QueueEntry, ref: SessionRef, support: LockSupport): void {
  const left = support.background.remove({
    name: entry.name,
    leave: () => entry.leave(),
    isMoot: () => ref.session.state !== 'alive',
  });
  void left.then(() => ref.release());
}

/** Whether its lease is about to end: a lock is handed out on it only after a keepalive. */
export function isStale(session: Session): boolean {
  return session.remainingMs < session.ttlMs / 3;
}
