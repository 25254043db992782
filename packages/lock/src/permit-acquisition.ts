import type { Session } from '@coord/client';
import type { Cancellation } from '@coord/client/internal';
import type { Progress } from './acquisition.js';
import { LockConflictError } from './errors.js';
import type { Grant } from './hold.js';
import { holderOf } from './holder.js';
import type { LockSupport } from './lock-support.js';
import type { PermitEntry } from './permit-entry.js';
import { persist } from './persist.js';
import type { SemaphoreState } from './semaphore-state.js';
import type { Follower } from './semaphore-watch.js';
import { type Attempt, isStale, lostItsPlace, untilSessionHolds } from './session-attempts.js';

export interface PermitAttempt extends Attempt {
  entry(session: Session): PermitEntry;
  /** Tells of what happens to the semaphore. @returns the function that ends it */
  follow(follower: Follower): () => void;
}

/** Joins the queue of a semaphore and waits for the permits, for as long as it is not stopped. */
export function acquirePermits(
  support: LockSupport,
  attempt: PermitAttempt,
  progress: Progress,
): Promise<Grant> {
  const { backoff } = support;
  const onFailure = (error: unknown) => {
    progress.cause = error;
  };
  const persistently = <T>(operation: () => Promise<T>, ended: Cancellation) =>
    ended.race(persist(operation, { signal: ended, backoff, onFailure }));

  return untilSessionHolds(support, attempt, {
    enter: (session) => attempt.entry(session),
    borrow: () =>
      persist(() => support.borrowSession(attempt.ttlMs, attempt.stop), {
        signal: attempt.stop,
        backoff,
        onFailure,
      }),
    async win(entry, session, ended) {
      const joined = await persistently(() => entry.join(), ended);
      progress.cause = undefined;
      if (!isGranted(entry, joined, progress)) {
        let stop = () => {};
        const granted = new Promise<void>((resolve, reject) => {
          const onState = (state: SemaphoreState) => {
            try {
              if (isGranted(entry, state, progress)) resolve();
            } catch (error) {
              reject(error);
            }
          };
          stop = attempt.follow({ onState, onFailure, onEnd: reject });
        });
        await ended.race(granted).finally(() => stop());
      }
      if (isStale(session)) await persistently(() => session.keepAlive({ signal: ended.signal }), ended);
    },
  });
}

/** Takes the permits if they are free. @throws {LockConflictError} if not */
export function takePermits(support: LockSupport, attempt: PermitAttempt): Promise<Grant> {
  return untilSessionHolds(support, attempt, {
    enter: (session) => attempt.entry(session),
    borrow: () => support.borrowSession(attempt.ttlMs, attempt.stop),
    async win(entry, session, ended) {
      const inTheWay = await ended.race(entry.enter());
      if (inTheWay !== undefined) {
        throw new LockConflictError(attempt.name, inTheWay.oldest && holderOf(inTheWay.oldest));
      }
      if (isStale(session)) await session.keepAlive({ signal: ended.signal });
    },
  });
}

/** @throws {LockExpiredError} when its key is gone */
function isGranted(entry: PermitEntry, state: SemaphoreState, progress: Progress): boolean {
  const standing = entry.standing(state);
  if (standing === undefined) return false;
  if (!standing.present) throw lostItsPlace(entry.name);
  progress.cause = undefined;
  progress.ahead ??= standing.ahead;
  if (state.oldest !== undefined) progress.holder = holderOf(state.oldest);
  return standing.isGranted;
}
