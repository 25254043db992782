import { CoordError } from '@coord/client';
import type { Cancellation } from '@coord/client/internal';
import type { Hold } from './hold.js';
import type { LockLease } from './lock-lease.js';
import type { LockSupport } from './lock-support.js';
import { persist } from './persist.js';

/** Changes of one hold take turns. */
export class Turns {
  readonly #support: LockSupport;
  #last: Promise<unknown> | undefined;

  constructor(support: LockSupport) {
    this.#support = support;
  }

  take<T>(change: () => Promise<T>): Promise<T> {
    const changed = (this.#last ?? Promise.resolve()).then(change);
    this.#last = this.#support.background.own(changed).catch(() => undefined);
    return changed;
  }
}

export interface Move {
  readonly hold: Hold;
  readonly lease: LockLease;
  readonly ttlMs: number;
  /** Ends only the wait for a session. */
  readonly signal: AbortSignal;
  /** Aborts when the hold has ended. */
  readonly ended: Cancellation;
}

/**
 * Moves a hold to a lease of another TTL, keeping place and token.
 * @returns false when it is gone
 */
export async function moveToTtl(support: LockSupport, move: Move): Promise<boolean> {
  const { hold, lease, ended } = move;
  const ref = await support.borrowSession(move.ttlMs, { signal: move.signal });
  if (ended.aborted || lease.includes(ref.session)) {
    ref.release();
    return true;
  }
  lease.add(ref);
  let outcomeLost = false;
  try {
    // Not the caller's signal: until etcd has said which lease it is, both must be kept.
    const moved = await persist(() => hold.moveTo(ref.session), {
      signal: ended,
      backoff: support.backoff,
      onFailure: () => {
        outcomeLost = true;
      },
    });
    if (moved) lease.keepOnly(ref);
    return moved;
  } catch (error) {
    if (!outcomeLost && CoordError.is(error) && error.outcome === 'not-applied') lease.remove(ref);
    throw error;
  }
}
