import { CompactedError, type Watch } from '@coord/client';
import { type Backoff, raceAbort } from '@coord/client/internal';
import { type Contender, NEAR, type Standing } from './contender.js';
import type { LockSupport } from './lock-support.js';
import { persist } from './persist.js';
import type { Following } from './queue-watch.js';

export interface TurnOptions {
  /** Ends the wait with its reason: the caller's abort or timeout, a lost session, a close. */
  readonly signal: AbortSignal;
  readonly backoff: Backoff;
  /** How often to look even though no event came, in milliseconds. */
  readonly verifyEveryMs: number;
  /** Called with what each look at the queue has shown. */
  readonly onStanding: (standing: Standing) => void;
  /** Called when it is near the head and follows the queue from now on. */
  readonly onFollowing: () => void;
  readonly onFailure: (error: unknown) => void;
}

/**
 * Waits until the contender holds the lock. Near the head of its queue it follows all that happens
 * there. Far from it, and in several queues, it waits for one of those before it to go, and looks.
 * @param following follows the queue since before the contender joined, if it does
 * @returns false when a key of it is gone: it has lost its place
 */
export async function waitForTurn(
  support: LockSupport,
  contender: Contender,
  joined: Standing,
  following: Following | undefined,
  options: TurnOptions,
): Promise<boolean> {
  const { onlyLane } = contender;
  let standing = joined;
  while (onlyLane === undefined || !standing.isComplete) {
    if (!standing.present) return false;
    if (standing.ahead.length === 0) return true;
    standing = await waitForOne(support, contender, standing, options);
  }
  options.onFollowing();
  let decided = following && (await follow(contender, standing, following, options));
  while (decided === undefined) {
    const anew = support.queueWatches.follow(onlyLane, contender.etcdKeys[0]);
    try {
      await raceAbort(
        anew.ready.catch(() => undefined),
        options.signal,
      ); // its end is told below
      // What happened until now, only a look shows.
      decided = await follow(contender, await look(contender, options), anew, options);
    } finally {
      anew.stop();
    }
  }
  return decided;
}

/** Follows the queue until the place is decided; undefined when a new watch is needed. */
async function follow(
  contender: Contender,
  standing: Standing,
  following: Following,
  options: TurnOptions,
): Promise<boolean | undefined> {
  const { place } = following;
  place.listed(standing);
  for (;;) {
    const followed = await raceAbort(following.decided(jittered(options.verifyEveryMs)), options.signal);
    if (followed === 'decided') return place.state === 'first';
    if (followed === 'ended') return undefined;
    // etcd has been seen to drop events.
    place.listed(await look(contender, options));
  }
}

/** Waits until one of those before it has gone, or there is something better to do than to wait for it. */
async function waitForOne(
  { client }: LockSupport,
  contender: Contender,
  { ahead }: Standing,
  options: TurnOptions,
): Promise<Standing> {
  const { signal } = options;
  // Far from the head, one whose end means that the head is near; in several queues the nearest.
  const which = contender.onlyLane === undefined ? 0 : Math.floor(NEAR * 0.75);
  const awaited = ahead[which]?.key ?? contender.etcdKeys[0];
  // From now on: a watch that starts in the past is served late. What was missed until it is
  // attached, the look after that shows. After a compaction too, a new one starts from now on.
  const watch = client.watch(awaited, { ignore: 'put', resync: 'error', signal });
  const events = new Wakeups(watch);
  try {
    await raceAbort(watch.ready, signal);
    for (;;) {
      const standing = await look(contender, options);
      const isNear = contender.onlyLane !== undefined && standing.isComplete;
      const isThere = standing.ahead.some(({ key }) => key === awaited);
      if (!standing.present || isNear || !isThere) return standing;
      if (!(await raceAbort(events.next(jittered(options.verifyEveryMs)), signal))) return standing;
    }
  } finally {
    events.stop();
  }
}

async function look(contender: Contender, options: TurnOptions): Promise<Standing> {
  const standing = await raceAbort(
    persist(() => contender.verify(), options),
    options.signal,
  );
  options.onStanding(standing);
  return standing;
}

/** Waits upon waits from clients that started together should not stay together. */
function jittered(ms: number): number {
  return ms * (0.75 + Math.random() / 2);
}

/** Turns a watch into reasons to look again: an event, or no event for a while. */
class Wakeups {
  readonly #watch: Watch;
  readonly #events: AsyncIterator<unknown>;
  #next: Promise<boolean> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(watch: Watch) {
    this.#watch = watch;
    this.#events = watch[Symbol.asyncIterator]();
  }

  /**
   * Resolves at the next event or after `ms`, whichever is first; with false when the watch has
   * ended or its history is compacted, so that a new one is needed.
   */
  next(ms: number): Promise<boolean> {
    this.#next ??= this.#nextEvent();
    const quiet = new Promise<boolean>((resolve) => {
      this.#timer = setTimeout(resolve, ms, true);
    });
    return Promise.race([this.#next, quiet]).finally(() => clearTimeout(this.#timer));
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#next?.catch(() => undefined);
    // It ends locally at once; nobody needs to wait for the server.
    void this.#watch.close().catch(() => undefined);
  }

  async #nextEvent(): Promise<boolean> {
    try {
      const { done } = await this.#events.next();
      return done !== true;
    } catch (error) {
      if (error instanceof CompactedError) return false;
      throw error;
    } finally {
      this.#next = undefined;
    }
  }
}
