import { CompactedError, type CoordClient, type KeyValue, type Watch } from '@coord/client';
import { type Backoff, raceAbort } from '@coord/client/internal';
import type { Contender, Standing } from './contender.js';
import { persist } from './persist.js';

export interface TurnOptions {
  /** Ends the wait with its reason: the caller's abort or timeout, a lost session, a close. */
  readonly signal: AbortSignal;
  readonly backoff: Backoff;
  /** How often to look even though no event came, in milliseconds. */
  readonly verifyEveryMs: number;
  /** Called with what each look at the queue has shown. */
  readonly onStanding: (standing: Standing) => void;
  readonly onFailure: (error: unknown) => void;
}

/**
 * Waits until the contender is the first of its queue.
 * @returns false when its key is gone: it has lost its place
 */
export async function waitForTurn(
  client: CoordClient,
  contender: Contender,
  predecessor: KeyValue,
  options: TurnOptions,
): Promise<boolean> {
  let waitingFor = predecessor.key;
  for (;;) {
    const standing = await waitForDelete(client, contender, waitingFor, options);
    if (!standing.present) return false;
    if (standing.predecessor === undefined) return true;
    waitingFor = standing.predecessor.key;
  }
}

/** Waits until `key` is no longer the contender's predecessor, and returns how it then stands. */
async function waitForDelete(
  client: CoordClient,
  contender: Contender,
  key: string,
  options: TurnOptions,
): Promise<Standing> {
  const { signal } = options;
  // From now on: a watch that starts in the past is served late. What was missed until it is
  // attached, the look after that shows. After a compaction too, a new one starts from now on.
  const watch = client.watch(key, { ignore: 'put', resync: 'error', signal });
  const events = new Wakeups(watch);
  try {
    await raceAbort(watch.ready, signal);
    for (;;) {
      const standing = await raceAbort(
        persist(() => contender.verify(), options),
        signal,
      );
      options.onStanding(standing);
      if (!standing.present || standing.predecessor?.key !== key) return standing;
      if (!(await raceAbort(events.next(jittered(options.verifyEveryMs)), signal))) return standing;
    }
  } finally {
    events.stop();
  }
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
