import { addAbortListener } from 'node:events';
import { type CacheUpdate, ClosedError, type WatchCache } from '@coord/client';
import { type Backoff, backoffDelayMs, delay, raceAbort } from '@coord/client/internal';

/** After a failure that the cache could not mend, such as a permission that was withdrawn. */
const RESTART: Backoff = { initialDelayMs: 500, maxDelayMs: 10_000, multiplier: 2 };

export interface CacheFollower<T> {
  open(): WatchCache<T>;
  /** All there is: at the start, and after a failure. */
  replace(entries: ReadonlyMap<string, T>): void;
  apply(update: CacheUpdate<T>): void;
  failed(error: unknown): void;
}

/** Follows a range until `signal` fires or the client is closed; whatever else its cache dies of, it is opened anew. */
export async function followCache<T>(follower: CacheFollower<T>, signal: AbortSignal): Promise<void> {
  for (let failures = 0; !signal.aborted; ) {
    let cache: WatchCache<T> | undefined;
    try {
      cache = follower.open();
      await raceAbort(cache.ready, signal);
      failures = 0;
      // In one tick: no change can fall between the list and the changes.
      const entries = cache.entries();
      const changes = cache.changes();
      using _end = addAbortListener(signal, () => void changes[Symbol.asyncDispose]());
      follower.replace(entries);
      for await (const update of changes) follower.apply(update);
      return; // the client has been closed
    } catch (error) {
      if (signal.aborted || error instanceof ClosedError) return;
      follower.failed(error);
    } finally {
      await cache?.close();
    }
    failures += 1;
    await delay(backoffDelayMs(failures, RESTART), signal).catch(() => undefined); // it has been ended
  }
}
