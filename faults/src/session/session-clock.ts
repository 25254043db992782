import { setTimeout as sleep } from 'node:timers/promises';
import type { CoordClient, Session } from '@coord/client';
import { monotonicMicros } from '../monotonic.js';
import type { WorkerContext } from '../run/worker-context.js';
import { SESSION_TTL_MS } from './session-names.js';
import type { SessionShapes } from './session-operations.js';

/** A lease has run out by then. */
const UNREAD_MS = SESSION_TTL_MS * 2.5;
/** So long a session has to live for that. */
export const LIFE_OF_LATE_MS = UNREAD_MS + 2 * SESSION_TTL_MS;

/** By what it is judged whether a lease is still ours. */
export interface SessionClock {
  readonly leftMs: number;
}

/** As the library tells it, or by a planted mistake. */
export function clockOf(
  context: WorkerContext<SessionShapes>,
  client: CoordClient,
  session: Session,
  over: AbortSignal,
): SessionClock {
  if (context.isPlanted('wall clock')) return new WallClock();
  if (context.isPlanted('from the answer')) return new AnswerClock(client, session, over);
  return {
    get leftMs() {
      return session.remainingMs;
    },
  };
}

/** Each keepalive by the library moves it on, by the wall clock, which was set back a little meanwhile. */
class WallClock implements SessionClock {
  static readonly #setBackMs = 3_600_000;
  readonly #deadline = Date.now() + SESSION_TTL_MS;

  get leftMs(): number {
    return Math.max(0, this.#deadline - (Date.now() - WallClock.#setBackMs));
  }
}

/** Keeps the lease alive by itself, and counts from when it reads an answer, however long that lay there: the second, for long. */
class AnswerClock implements SessionClock {
  #until = monotonicMicros() + SESSION_TTL_MS * 1_000;

  constructor(client: CoordClient, session: Session, over: AbortSignal) {
    session.orphan();
    this.#keep(client, session.leaseId.toString(), over).catch(() => undefined); // it then runs out
  }

  get leftMs(): number {
    return Math.max(0, (this.#until - monotonicMicros()) / 1_000);
  }

  async #keep({ etcd3 }: CoordClient, ID: string, over: AbortSignal): Promise<void> {
    const pause = (ms: number) => sleep(ms, undefined, { signal: over }).catch(() => undefined);
    const stream = await etcd3.leaseClient.leaseKeepAlive();
    let answers = 0;
    stream.on('error', () => undefined);
    stream.on('data', async ({ TTL }) => {
      answers += 1;
      if (answers === 2) await pause(UNREAD_MS); // it lies there, and is not read
      if (Number(TTL) > 0) this.#until = monotonicMicros() + SESSION_TTL_MS * 1_000;
    });
    stream.write({ ID });
    await pause(SESSION_TTL_MS / 3);
    stream.write({ ID });
    await pause(LIFE_OF_LATE_MS);
    stream.end();
  }
}
