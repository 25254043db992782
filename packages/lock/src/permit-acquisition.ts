import type { Session } from '@coord/client';
import { raceAbort } from '@coord/client/internal';
import type { Progress } from './acquisition.js';
import { LockConflictError } from './errors.js';
import type { Grant } from './hold.js';
import { holderOf } from './holder.js';
import type { LockSupport } from './lock-support.js';
import type { PermitEntry } from './permit-entry.js';
import { persist } from './persist.js';
import type { SemaphoreState } from './semaphore-state.js';
import type { Follower } from './semaphore-watch.js';
import { type Attempt, ensureFresh, lostItsPlace, untilSessionHolds } from './session-attempts.js';

export interface PermitAttempt extends Attempt {
  entry(session: Session): PermitEntry;
  /** Tells of what happens to the semaphore. @returns the function that ends it */
  follow(follower: Follower): () => void;
}

/** Joins the queue of a semaphore and waits for the permits, for as long as the signal allows. */
export function acquirePermits(
  support: LockSupport,
  attempt: PermitAttempt,
  progress: Progress,
): Promise<Grant> {
  const { backoff } = support;
  const onFailure = (error: unknown) => {
    progress.cause = error;
  };
  const persistently = <T>(operation: () => Promise<T>, signal: AbortSignal) =>
    raceAbort(persist(operation, { signal, backoff, onFailure }), signal);

  return untilSessionHolds(support, attempt, {
    enter: (session) => attempt.entry(session),
    borrow: () =>
      persist(() => support.borrowSession(attempt.ttlMs, { signal: attempt.signal }), {
        signal: attempt.signal,
        backoff,
        onFailure,
      }),
    async win(entry, session, { signal }) {
      const joined = await persistently(() => entry.join(), signal);
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
        await raceAbort(granted, signal).finally(() => stop());
      }
      await ensureFresh(session, () => persistently(() => session.keepAlive({ signal }), signal));
    },
  });
}

/** Takes the permits if they are free. @throws {LockConflictError} if not */
export function takePermits(support: LockSupport, attempt: PermitAttempt): Promise<Grant> {
  return untilSessionHolds(support, attempt, {
    enter: (session) => attempt.entry(session),
    borrow: () => support.borrowSession(attempt.ttlMs, { signal: attempt.signal }),
    async win(entry, session, { signal }) {
      const inTheWay = await raceAbort(entry.enter(), signal);
      if (inTheWay !== undefined) {
        throw new LockConflictError(attempt.name, inTheWay.oldest && holderOf(inTheWay.oldest));
      }
      await ensureFresh(session, () => session.keepAlive({ signal }));
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
