import type { Session } from '@coord/client';
import type { Cancellation, SessionRef } from '@coord/client/internal';
import type { Contender, Standing } from './contender.js';
import { LockConflictError, type QueueView } from './errors.js';
import type { TakenAlong } from './heir.js';
import type { Grant } from './hold.js';
import { holderOf } from './holder.js';
import { KeyGuard } from './key-guard.js';
import type { LockSupport } from './lock-support.js';
import { persist } from './persist.js';
import type { Following } from './queue-watch.js';
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
  prepared?: TakenPrepared<C>,
): Promise<Grant<C>> {
  return untilSessionHolds(support, request, new InTurn(support, request, progress, prepared), prepared);
}

type TakenPrepared<C extends Contender> = Prepared<C> & { readonly takenAlong?: TakenAlong | undefined };

/** By joining the queue, and waiting for as long as it takes. */
class InTurn<C extends Contender> implements Strategy<C> {
  readonly #support: LockSupport;
  readonly #request: AcquisitionRequest<C>;
  readonly #progress: Progress;
  readonly #prepared: TakenPrepared<C> | undefined;

  constructor(
    support: LockSupport,
    request: AcquisitionRequest<C>,
    progress: Progress,
    prepared: TakenPrepared<C> | undefined,
  ) {
    this.#support = support;
    this.#request = request;
    this.#progress = progress;
    this.#prepared = prepared;
  }

  enter(session: Session): C {
    return this.#request.contender(session);
  }

  borrow(): Promise<SessionRef> {
    const { ttlMs, stop } = this.#request;
    return this.#persist(() => this.#support.borrowSession(ttlMs, stop), stop);
  }

  async win(contender: C, session: Session, ended: Cancellation): Promise<void> {
    const taken = contender === this.#prepared?.entry ? this.#prepared.takenAlong : undefined;
    // From before it joins, or else something may be missed.
    const following = taken ? taken.following : this.#support.queueWatches.followIfRunning(contender);
    try {
      const standing =
        (taken && (await ended.race(taken.standing))) ??
        (await ended.race(this.#persist(() => contender.join(), ended)));
      this.#progress.cause = undefined;
      if (standing.ahead.length > 0 || !standing.present) {
        await this.#waitBehind(contender, session, ended, standing, following);
      }
    } finally {
      following?.stop();
    }
    if (isStale(session)) await ended.race(this.#persist(() => keepAlive(session, ended), ended));
  }

  async #waitBehind(
    contender: C,
    session: Session,
    ended: Cancellation,
    standing: Standing,
    following: Following | undefined,
  ): Promise<void> {
    const progress = this.#progress;
    progress.ahead = standing.count ?? standing.ahead.length;
    if (standing.holder !== undefined) progress.holder = holderOf(standing.holder);
    const lost = () => lostItsPlace(this.#request.name);
    const guard = new KeyGuard(this.#support, contender, () => ended.abort(lost()));
    const inTurn = await waitForTurn(this.#support, contender, standing, following, {
      signal: ended.signal,
      backoff: this.#support.backoff,
      verifyEveryMs: Math.min(session.ttlMs, MAX_QUIET_MS),
      onStanding: ({ holder }) => {
        progress.cause = undefined;
        if (holder !== undefined) progress.holder = holderOf(holder);
      },
      onFollowing: () => {
        if (contender.isInItsLane) guard.stop(); // who follows the queue sees his own key go
      },
      onFailure: (error) => {
        progress.cause = error;
      },
    }).finally(() => guard.stop());
    if (!inTurn) throw lost();
  }

  #persist<T>(operation: () => Promise<T>, signal: Cancellation): Promise<T> {
    const onFailure = (error: unknown) => {
      this.#progress.cause = error;
    };
    return persist(operation, { signal, backoff: this.#support.backoff, onFailure });
  }
}

function keepAlive(session: Session, { signal }: Cancellation): Promise<void> {
  return session.keepAlive({ signal });
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
      if (isStale(session)) await keepAlive(session, ended);
    },
  });
}
