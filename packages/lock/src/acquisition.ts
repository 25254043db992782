import type { Session } from '@coord/client';
import { raceAbort } from '@coord/client/internal';
import type { Contender } from './contender.js';
import { LockConflictError, type QueueView } from './errors.js';
import type { Grant } from './hold.js';
import { holderOf } from './holder.js';
import { KeyGuard } from './key-guard.js';
import type { LockSupport } from './lock-support.js';
import { persist } from './persist.js';
import { type Attempt, ensureFresh, lostItsPlace, untilSessionHolds } from './session-attempts.js';
import { waitForTurn } from './turn.js';

export interface AcquisitionRequest<C extends Contender> extends Attempt {
  /** A new contender, with keys of its own. */
  contender(session: Session): C;
}

/** What an acquisition learns on its way, for the error if it gives up. */
export type Progress = { -readonly [K in keyof QueueView]: QueueView[K] } & { cause?: unknown };

/** How long a waiter relies on its watch at most before it looks for itself. */
const MAX_QUIET_MS = 60_000;

/** Joins the queue and waits for its turn, for as long as the signal allows. */
export function acquireInTurn<C extends Contender>(
  support: LockSupport,
  request: AcquisitionRequest<C>,
  progress: Progress,
): Promise<Grant<C>> {
  const { client, backoff } = support;
  const onFailure = (error: unknown) => {
    progress.cause = error;
  };
  const persistently = <T>(operation: () => Promise<T>, signal: AbortSignal) =>
    raceAbort(persist(operation, { signal, backoff, onFailure }), signal);

  return untilSessionHolds(support, request, {
    enter: (session) => request.contender(session),
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
export function acquireIfFree<C extends Contender>(
  support: LockSupport,
  request: AcquisitionRequest<C>,
): Promise<Grant<C>> {
  return untilSessionHolds(support, request, {
    enter: (session) => request.contender(session),
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
