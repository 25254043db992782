import type { Session } from '@coord/client';
import type { Cancellation } from '@coord/client/internal';
import type { Contender } from './contender.js';
import { LockConflictError, type QueueView } from './errors.js';
import type { TakenAlong } from './heir.js';
import type { Grant } from './hold.js';
import { holderOf } from './holder.js';
import { KeyGuard } from './key-guard.js';
import type { LockSupport } from './lock-support.js';
import { persist } from './persist.js';
import {
  type Attempt,
  isStale,
  lostItsPlace,
  type Prepared,
  type Strategy,
  untilSessionHolds,
} from './session-attempts.js';
import { waitForTurn } from './turn.js';

export interface AcquisitionRequest<C extends Contender> extends Attempt {
  /** A new contender, with keys of its own. */
  contender(session: Session): C;
}

/** What an acquisition learns on its way, for the error if it gives up. */
export type Progress = { -readonly [K in keyof QueueView]: QueueView[K] } & { cause?: unknown };

/** How long a waiter relies on its watch at most before it looks for itself. */
const MAX_QUIET_MS = 60_000;

/** A contender that is ready to join: its session is there. */
export async function prepareContender<C extends Contender>(
  support: LockSupport,
  request: AcquisitionRequest<C>,
): Promise<Prepared<C>> {
  const ref = await support.borrowSession(request.ttlMs, request.stop);
  return { ref, entry: request.contender(ref.session) };
}

/**
 * Joins the queue and waits for its turn, for as long as it is not stopped.
 * @param prepared what to try first, and whether the one before has taken it along into the queue
 */
export function acquireInTurn<C extends Contender>(
  support: LockSupport,
  request: AcquisitionRequest<C>,
  progress: Progress,
  prepared?: Prepared<C> & { readonly takenAlong?: TakenAlong | undefined },
): Promise<Grant<C>> {
  const { backoff } = support;
  const onFailure = (error: unknown) => {
    progress.cause = error;
  };
  const persistently = <T>(operation: () => Promise<T>, ended: Cancellation) =>
    ended.race(persist(operation, { signal: ended, backoff, onFailure }));

  const strategy: Strategy<C> = {
    enter: (session) => request.contender(session),
    borrow: () =>
      persist(() => support.borrowSession(request.ttlMs, request.stop), {
        signal: request.stop,
        backoff,
        onFailure,
      }),
    async win(contender, session, ended) {
      const taken = contender === prepared?.entry ? prepared.takenAlong : undefined;
      // From before it joins, or else something may be missed.
      const following = taken ? taken.following : support.queueWatches.followIfRunning(contender);
      try {
        const standing =
          (taken && (await ended.race(taken.standing))) ??
          (await persistently(() => contender.join(), ended));
        progress.cause = undefined;
        if (standing.ahead.length > 0 || !standing.present) {
          progress.ahead = standing.count ?? standing.ahead.length;
          if (standing.holder !== undefined) progress.holder = holderOf(standing.holder);
          const guard = new KeyGuard(support, contender, () => ended.abort(lostItsPlace(request.name)));
          const inTurn = await waitForTurn(support, contender, standing, following, {
            signal: ended.signal,
            backoff,
            verifyEveryMs: Math.min(session.ttlMs, MAX_QUIET_MS),
            onStanding: ({ holder }) => {
              progress.cause = undefined;
              if (holder !== undefined) progress.holder = holderOf(holder);
            },
            onFollowing: () => {
              if (contender.isInItsLane) guard.stop(); // who follows the queue sees his own key go
            },
            onFailure,
          }).finally(() => guard.stop());
          if (!inTurn) throw lostItsPlace(request.name);
        }
      } finally {
        following?.stop();
      }
      if (isStale(session)) await persistently(() => session.keepAlive({ signal: ended.signal }), ended);
    },
  };
  return untilSessionHolds(support, request, strategy, prepared);
}

/** Takes the lock if it is free. @throws {LockConflictError} if not */
export function acquireIfFree<C extends Contender>(
  support: LockSupport,
  request: AcquisitionRequest<C>,
): Promise<Grant<C>> {
  return untilSessionHolds(support, request, {
    enter: (session) => request.contender(session),
    borrow: () => support.borrowSession(request.ttlMs, request.stop),
    async win(contender, session, ended) {
      const result = await ended.race(contender.enter());
      if (!result.entered) {
        throw new LockConflictError(request.name, result.holder && holderOf(result.holder));
      }
      if (isStale(session)) await session.keepAlive({ signal: ended.signal });
    },
  });
}
