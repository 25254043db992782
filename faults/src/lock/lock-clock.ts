import { CoordError } from '@coord/client';
import type { Lock } from '@coord/lock';
import type { WorkerContext } from '../run/worker-context.js';
import type { LockSetting } from './lock-names.js';
import type { LockShapes } from './lock-operations.js';

/** By what a holder judges whether it still holds the lock. */
export interface LockClock {
  holds(): boolean;
}

/** As the library tells it, or by a planted mistake. */
export function clockOf(
  context: Pick<WorkerContext<LockShapes>, 'isPlanted'>,
  lock: Lock,
  { ttlMs }: LockSetting,
): LockClock {
  return context.isPlanted('wall clock') ? new WallClock(ttlMs) : new OwnClock(lock);
}

export class OwnClock implements LockClock {
  readonly #lock: Lock;

  constructor(lock: Lock) {
    this.#lock = lock;
  }

  holds(): boolean {
    try {
      this.#lock.assertHeld();
      return true;
    } catch (error) {
      if (CoordError.is(error)) return false;
      throw error;
    }
  }
}

/** A deadline of the wall clock, which is set back by an hour meanwhile. */
class WallClock implements LockClock {
  readonly #deadline: number;

  constructor(ttlMs: number) {
    this.#deadline = Date.now() + ttlMs;
  }

  holds(): boolean {
    return Date.now() - 3_600_000 < this.#deadline;
  }
}
