import type { Session } from '@coord/client';
import { backoffDelayMs, delay, raceAbort, type SessionRef } from '@coord/client/internal';
import { LockConflictError, LockExpiredError, type QueueView } from './errors.js';
import { forwardAbort } from './forward-abort.js';
import { holderOf, type LockHolder } from './holder.js';
import { KeyGuard } from './key-guard.js';
import { newQueueKey, queuePrefix } from './lock-key.js';
import type { LockSupport } from './lock-support.js';
import { isLeaseGone, MutexContender } from './mutex-queue.js';
import { persist } from './persist.js';
import { onSessionEnd } from './session-end.js';
import { waitForTurn } from './turn.js';

export interface AcquisitionRequest {
  readonly name: string;
  readonly keyPrefix: string;
  readonly ttlMs: number;
  /** The value of our key. */
  readonly description: string;
  /** Ends the acquisition with its reason. */
  readonly signal: AbortSignal;
}

/** A contender that has won, and the session it did it with. */
export interface Grant {
  readonly contender: MutexContender;
  readonly token: bigint;
  readonly ref: SessionRef;
}

/** What an acquisition learns on its way, for the error if it gives up. */
export type Progress = { -readonly [K in keyof QueueView]: QueueView[K] } & { cause?: unknown };

/** How long a waiter relies on its watch at most before it looks for itself. */
const MAX_QUIET_MS = 60_000;

/** Joins the queue and waits for its turn, for as long as the signal allows. */
export function acquireInTurn(
  support: LockSupport,
  request: AcquisitionRequest,
  progress: Progress,
): Promise<Grant> {
  const { client, backoff } = support;
  const onFailure = (error: unknown) => {
    progress.cause = error;
  };
  const persistently = <T>(operation: () => Promise<T>, signal: AbortSignal) =>
    raceAbort(persist(operation, { signal, backoff, onFailure }), signal);

  return untilSessionHolds(support, request, {
    borrow: () =>
      persist(() => support.borrowSession(request.ttlMs, { signal: request.signal }), {
        signal: request.signal,
        backoff,
        onFailure,
      }),
    async win(contender, session, ended) {
      const { signal } = ended;
      const { predecessor, ahead } = await persistently(() => contender.join(), signal);
      progress.cause = undefined;
      if (predecessor !== undefined) {
        progress.ahead = ahead;
        if (ahead === 1) progress.holder = holderOf(predecessor);
        const guard = new KeyGuard(support, contender, () => ended.abort(lostItsPlace(request.name)));
        const inTurn = await waitForTurn(client, contender, predecessor, {
          signal,
          backoff,
          verifyEveryMs: Math.min(session.ttlMs, MAX_QUIET_MS),
          onStanding: ({ holder }) => {
            progress.cause = undefined;
            if (holder !== undefined) progress.holder = holderOf(holder);
          },
          onFailure,
        }).finally(() => guard.stop());
        if (!inTurn) throw lostItsPlace(request.name);
      }
      await ensureFresh(session, () => persistently(() => session.keepAlive({ signal }), signal));
    },
  });
}

/** Takes the lock if it is free. @throws {LockConflictError} if not */
export function acquireIfFree(support: LockSupport, request: AcquisitionRequest): Promise<Grant> {
  return untilSessionHolds(support, request, {
    borrow: () => support.borrowSession(request.ttlMs, { signal: request.signal }),
    async win(contender, session, { signal }) {
      const result = await raceAbort(contender.enter(), signal);
      if (!result.entered) {
        throw new LockConflictError(request.name, result.holder && holderOf(result.holder));
      }
      await ensureFresh(session, () => session.keepAlive({ signal }));
    },
  });
}

/** Reads who holds the lock, without a write. */
export async function readHolder(
  { client }: LockSupport,
  { keyPrefix, name, signal }: AcquisitionRequest,
): Promise<LockHolder | undefined> {
  const oldestFirst = { by: 'create', order: 'ascend' } as const;
  const { kvs } = await client.kv.range(
    { prefix: queuePrefix(keyPrefix, name) },
    { limit: 1, sort: oldestFirst, signal },
  );
  return kvs[0] && holderOf(kvs[0]);
}

interface Strategy {
  borrow(): Promise<SessionRef>;
  /** Resolves when the contender holds the lock. @param ended aborts when there is no point in going on */
  win(contender: MutexContender, session: Session, ended: AbortController): Promise<void>;
}

/** A session that ends before the contender has a place costs nothing but a fresh start. */
async function untilSessionHolds(
  support: LockSupport,
  request: AcquisitionRequest,
  strategy: Strategy,
): Promise<Grant> {
  for (let attempt = 1; ; attempt++) {
    const ref = await strategy.borrow().catch((error: unknown) => {
      throw request.signal.aborted ? request.signal.reason : error;
    });
    const grant = await tryWith(ref, support, request, strategy);
    if (grant !== undefined) return grant;
    await delay(backoffDelayMs(attempt, support.backoff), request.signal).catch(() => undefined);
    request.signal.throwIfAborted();
  }
}

/** @returns undefined when the session ended before the contender had a place */
async function tryWith(
  ref: SessionRef,
  support: LockSupport,
  request: AcquisitionRequest,
  strategy: Strategy,
): Promise<Grant | undefined> {
  const { session } = ref;
  const key = newQueueKey(request.keyPrefix, request.name, session.leaseId);
  const contender = new MutexContender(support, key, session, request.description);
  const ended = new AbortController();
  const stopForwarding = forwardAbort(request.signal, ended);
  const stopListening = onSessionEnd(session, () => ended.abort(session.signal.reason));
  try {
    await strategy.win(contender, session, ended);
    ended.signal.throwIfAborted();
    if (contender.revision !== undefined) return { contender, token: contender.revision, ref };
    throw new TypeError('granted without a revision');
  } catch (error) {
    abandon(contender, ref, support);
    request.signal.throwIfAborted();
    if (session.state === 'alive' && !isLeaseGone(error)) throw error;
    if (contender.revision !== undefined) {
      throw new LockExpiredError(request.name, 'its session ended while it waited in the queue', {
        cause: error,
      });
    }
    // etcd may know before the session does; a keepalive tells it, so that it is not lent again.
    await session.keepAlive({ signal: request.signal }).catch(() => undefined);
    return undefined;
  } finally {
    stopForwarding();
    stopListening();
  }
}

function lostItsPlace(name: string): LockExpiredError {
  return new LockExpiredError(name, 'its key was deleted while it waited in the queue');
}

/** Leaves no key and no reference behind; nobody waits for it. */
function abandon(contender: MutexContender, ref: SessionRef, support: LockSupport): void {
  const left = support.background.remove({
    name: contender.key.name,
    leave: () => contender.leave(),
    isMoot: () => ref.session.state !== 'alive',
  });
  void left.then(() => ref.release());
}

/** A lock is not handed out on a lease that is about to end. */
async function ensureFresh(session: Session, keepAlive: () => Promise<void>): Promise<void> {
  if (session.remainingMs < session.ttlMs / 3) await keepAlive();
}
